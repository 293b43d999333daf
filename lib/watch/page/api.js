"use strict";
// What is asked of relayd, and the token. The token is in this variable and nowhere else.

let token = "";

class Cancelled extends Error {
  constructor() {
    super("That needs the token of relayd.");
  }
}

function address_of(path, query = {}) {
  const parts = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  return "/api/" + path + (parts.length ? "?" + new URLSearchParams(parts) : "");
}

// With the token, where there is one. Asks for it where relayd wants it, and again while it is wrong.
async function ask(address, options = {}) {
  for (;;) {
    const used = token;
    const headers = used ? { ...options.headers, Authorization: "Bearer " + used } : options.headers;
    let answer = null;
    try {
      if (/^[\x21-\x7e]*$/.test(used)) answer = await fetch(address, { cache: "no-store", redirect: "error", ...options, headers });
    } catch {
      throw new Error("relayd cannot be reached");
    }
    if (answer && answer.status !== 401) return answer;
    await renew_token(used, used ? "relayd does not take this token."
      : options.method === "POST" ? "What changes something needs the token." : "relayd shows itself to those who have its token.");
  }
}

let token_asked = null; // the dialog that is open, for all who wait for it

async function renew_token(used, why) {
  if (token !== used) return;
  keep_token("");
  token_asked ??= ask_token(why).then(keep_token).finally(() => { token_asked = null; });
  await token_asked;
}

async function refuse(answer) {
  let reason = "";
  try {
    reason = (await answer.json()).error;
  } catch {
    // It is no answer of relayd's.
  }
  throw Object.assign(new Error(plain(reason || `relayd answers with HTTP status ${answer.status}`, 600)),
    { status: answer.status });
}

async function get(path, query) {
  const answer = await ask(address_of(path, query));
  if (!answer.ok) await refuse(answer);
  return answer.json();
}

// Calls each(object) for every line of an answer; gives the last one, which ends it.
async function read_lines(answer, each) {
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let rest = "", end = null;
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const lines = rest.split("\n");
    rest = done ? "" : lines.pop();
    for (const line of lines) {
      if (!line.trim()) continue;
      const object = JSON.parse(line);
      if (object.end) end = object;
      else each(object);
    }
    if (done) break;
  }
  if (!end) throw new Error("relayd went away in the middle of its answer");
  return end;
}

async function get_lines(path, query) {
  const answer = await ask(address_of(path, query));
  if (!answer.ok) await refuse(answer);
  const rows = [];
  const end = await read_lines(answer, (row) => rows.push(row));
  return { rows, more: Boolean(end.more) };
}

function closed(dialog) {
  return new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
}

// Gives what is in the field when the dialog ends well; throws Cancelled otherwise.
async function ask_token(why) {
  const dialog = by_id("token"), field = by_id("token-value");
  while (dialog.open) await closed(dialog);
  by_id("token-why").textContent = why;
  field.value = "";
  dialog.returnValue = "no";
  dialog.showModal();
  field.focus();
  await closed(dialog);
  const value = field.value.trim();
  field.value = "";
  if (dialog.returnValue !== "yes") throw new Cancelled();
  return value;
}

function keep_token(value) {
  token = value;
  by_id("forget").hidden = !token;
  if (token) go_on?.();
}

acts.forget = () => {
  keep_token("");
  tell("The token is forgotten.");
};

async function change(path, body) {
  const answer = await ask(address_of(path), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) await refuse(answer);
  return answer;
}

// A change that is told line by line: {done, rows, errors}, with the first of the rows and errors.
async function change_lines(path, body) {
  const answer = await change(path, body);
  const result = { done: 0, refused: 0, rows: [], errors: [] };
  await read_lines(answer, (line) => {
    const is_error = Boolean(line.error);
    is_error ? result.refused++ : result.done++;
    const kept = is_error ? result.errors : result.rows;
    if (kept.length < 20) kept.push(line);
  });
  return result;
}

// Asks whether to go on. `body`: what is shown; `yes`: the word on the button. Gives the form's fields, or nothing.
async function confirmed(title, yes, body, is_grave) {
  const dialog = by_id("ask");
  while (dialog.open) await closed(dialog); // the answer to one question must not be taken for that to another
  by_id("ask-title").textContent = title;
  by_id("ask-yes").textContent = yes;
  by_id("ask-yes").className = is_grave ? "grave" : "strong";
  by_id("ask-body").replaceChildren();
  show(by_id("ask-body"), body);
  dialog.returnValue = "no";
  dialog.showModal();
  await closed(dialog);
  return dialog.returnValue === "yes" ? new FormData(dialog.querySelector("form")) : null;
}

acts.close = (data, button) => button.closest("dialog").close("no");

// Does what somebody asked for; tells what went wrong. True: it was done.
async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof Cancelled)) tell(`That did not work: ${error.message}`);
    return false;
  }
}
