fetch("/api/status").then((answer) => answer.text()).then((text) => { document.getElementById("now").textContent = text; });
