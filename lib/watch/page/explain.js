"use strict";
// The view "Explain": a form, and what `relayd explain` would print.

function begin_explain() {
  by_id("explain-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = Object.fromEntries([...new FormData(event.target)].map(([name, value]) => [name, value.trim()]));
    const place = by_id("explained");
    try {
      const answer = await get("explain", query);
      show(place, el("pre", { class: "said", tabindex: "0", "aria-label": "What relayd explain prints" },
        said(answer.text || "relayd has nothing to say about that.", { limit: 200_000, lines: true })));
    } catch (error) {
      show(place, el("p", { class: "refused" }, error.message));
    }
  });
}
