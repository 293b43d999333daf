"use strict";
// The view "Mail": what is in the queue, a page at a time, and what became of messages, from the history.

const mail_a_page = 100;

let mail_query = null; // what the fragment asks for: {what, of, state, upstream}
let mail_pages = [""]; // the ids after which the pages up to this one begin
let mail_rows = [];
let mail_more = false;
let mail_time = "";
let chosen = new Set(); // ids
let chosen_all = false; // all that match, not only those on the page
let mail_outcome = null; // of the last action: {text, errors}

const id_form = /^[0-9a-v]{11}$/;

function state_mark(row) {
  const doubt = row.in_doubt && state_badge("in_doubt");
  return [state_badge(row.state), doubt ? [" ", doubt] : ""];
}

function due_text(row) {
  if (row.in_line) return "in line";
  return row.due_in === undefined ? "–" : ticking(new Date(Date.parse(mail_time) + row.due_in * 1000).toISOString(), "in");
}

function mail_row(row) {
  const doubted = (row.shipments ?? [row]).filter((one) => one.doubted);
  return el("tr", { class: "row", "data-key": row.id },
    el("td", { class: "pick" }, el("input", { type: "checkbox", "data-id": row.id, "aria-label": `Choose ${plain(row.id)}` })),
    el("th", { scope: "row" }, el("a", { href: "#mail/" + encoded(row.id) }, plain(row.id))),
    cell("State", state_mark(row), doubted.map((one) => el("div", { class: "quiet" }, `${count(one.pending)} in doubt at `, said(one.doubted)))),
    cell("From", address(row.from), row.to && el("div", {}, "to ", address(row.to), row.to_count > 1 && ` and ${count(row.to_count - 1)} more`)),
    cell_of_number("To go", count(row.pending)),
    cell("Tried", row.attempts > 0 ? several(row.attempts, "time", "times") : "not yet", row.reason && el("div", { class: "why" }, said(row.reason, { limit: 300 }))),
    cell("Next", due_text(row)),
    cell("Age", ticking(row.accepted, "age")),
    cell_of_number("Size", octets(row.size)));
}

// --- what is done with them ---

const deeds = {
  retry: { name: "Retry", text: "They are tried now, whatever pauses. What has failed gets its failed recipients back, and its lifetime anew." },
  hold: { name: "Hold", text: "They stay here and are not sent until somebody releases them." },
  release: { name: "Release", text: "What is held goes on." },
  delete: { name: "Delete", text: "They are deleted for good, and nobody is told.", grave: true },
  not_taken: { name: "Not taken", text: "Only if you have looked at the upstream and it has not taken them: they may then go anywhere. If it has, their recipients get them twice.", grave: true },
};

function deed_buttons(names, id) {
  return names.map((name) => el("button", { type: "button", class: deeds[name].grave ? "grave small" : "small", "data-act": "do", "data-deed": name, "data-id": id },
    deeds[name].name + (deeds[name].grave ? "…" : "")));
}

// The same words as the fields above the list.
function filter_body() {
  const { what, of, state, upstream } = mail_query;
  const body = {};
  if (what) body[of] = what;
  if (state) body.state = state;
  if (upstream) body.upstream = upstream;
  return Object.keys(body).length ? body : { all: true };
}

function filter_text(body) {
  if (body.all) return "all messages in the queue";
  return "all messages with " + Object.entries(body).map(([name, value]) => `${name} ${plain(value)}`).join(", ");
}

acts.do = ({ deed, id }) => attempt(async () => {
  const all = !id && chosen_all;
  const ids = id ? [id] : [...chosen];
  const body = all ? filter_body() : { ids };
  const about = all ? filter_text(body) : ids.length === 1 ? ids[0] : several(ids.length, "message", "messages");
  const { name, text, grave } = deeds[deed];
  const form = await confirmed(`${name}: ${about}?`, name, [el("p", {}, ids.length === 1 && !all ? singular(text) : text),
    deed === "delete" && el("label", { class: "check" }, el("input", { type: "checkbox", name: "bounce" }), " tell each sender by a report")], grave);
  if (!form) return;
  if (deed === "not_taken") body.not_taken = true;
  if (form.has("bounce")) body.bounce = true;
  const path = deed === "not_taken" ? "queue/retry" : `queue/${deed}`;
  const result = await change_lines(path, body);
  mail_outcome = { text: outcome_text(deed, result), errors: result.errors, refused: result.refused };
  tell(mail_outcome.text);
  chosen.clear();
  chosen_all = false;
  if (id && message_id !== id) return; // another is looked at meanwhile
  await (id && deed !== "delete" ? open_message(id) : reload_mail());
  if (id) deed === "delete" && !result.refused ? (location.hash = "#mail") : show_message_outcome();
});

function singular(text) {
  return text.replaceAll("They are", "It is").replaceAll("They stay", "It stays").replace("and are not", "and is not").replaceAll("them: they may", "it: it may")
    .replace("releases them", "releases it").replace("taken them", "taken it").replace("their recipients get them", "its recipients get it");
}

const deed_past = { retry: "to be tried again", hold: "held", release: "released", delete: "deleted", not_taken: "free to go anywhere" };

function outcome_text(deed, { done, refused }) {
  const parts = [];
  if (done || !refused) parts.push(`${several(done, "message", "messages")} ${deed_past[deed]}`);
  if (refused) parts.push(`${count(refused)} refused`);
  return parts.join(", ") + ".";
}

function outcome_box() {
  if (!mail_outcome) return null;
  const { text, errors, refused } = mail_outcome;
  return el("div", { class: errors.length ? "outcome refused" : "outcome" }, el("p", {}, text, " ",
    el("button", { type: "button", class: "small plain", "data-act": "seen" }, "Close")),
  errors.length > 0 && el("ul", { class: "bare" }, errors.map((one) => el("li", {}, one.id && [plain(one.id), ": "], said(one.error))),
    refused > errors.length && el("li", {}, `and ${count(refused - errors.length)} more`)));
}

acts.seen = () => {
  mail_outcome = null;
  show_queue();
  show_message_outcome();
};

// --- the list ---

function pick_bar() {
  const is_page = mail_rows.length > 0 && mail_rows.every((row) => chosen.has(row.id));
  // What the list is of must be what a filter can say.
  const can_all = mail_more && is_page && !chosen_all && (!mail_query.what || mail_query.of);
  const text = chosen_all ? `Chosen: ${filter_text(filter_body())}.` : `${several(chosen.size, "message", "messages")} chosen.`;
  if (!chosen.size) return null;
  return el("div", { class: "bar picked" }, el("span", {}, text), deed_buttons(["retry", "hold", "release", "delete"]),
    chosen_all ? null : deed_buttons(["not_taken"]),
    can_all && el("button", { type: "button", class: "small plain", "data-act": "choose_all" }, `Choose ${filter_text(filter_body())} instead`));
}

function page_bar() {
  const first = (mail_pages.length - 1) * mail_a_page;
  return el("div", { class: "bar pages" },
    el("span", {}, mail_rows.length ? `${count(first + 1)} to ${count(first + mail_rows.length)}, the oldest first; as of ` : "As of ", clock(mail_time)),
    el("button", { type: "button", class: "small", "data-act": "previous_page", disabled: mail_pages.length < 2 }, "Previous"),
    el("button", { type: "button", class: "small", "data-act": "next_page", disabled: !mail_more }, "Next"),
    el("button", { type: "button", class: "small", "data-act": "refresh_mail" }, "Refresh"));
}

function show_queue() {
  if (!mail_query) return;
  const heads = [el("input", { type: "checkbox", id: "choose-page", "aria-label": "Choose all on this page" }), "Id", "State", "From and to", "To go", "Tried", "Next", "Age", "Size"];
  const is_asked = mail_query.what || mail_query.state || mail_query.upstream;
  show(by_id("queue"), outcome_box(), el("h2", {}, "In the queue"),
    mail_rows.length ? table("Messages in the queue", heads, mail_rows.map(mail_row), { class: "cards mail", caption: "unseen" })
      : el("p", { class: "empty" }, is_asked ? "No message in the queue is like that." : "The queue is empty."),
    pick_bar(), page_bar());
  for (const box of by_id("queue").querySelectorAll("input[data-id]")) box.checked = chosen.has(box.dataset.id);
  const whole = by_id("choose-page");
  if (whole) whole.checked = mail_rows.length > 0 && mail_rows.every((row) => chosen.has(row.id));
}

// One question, or two where an address may be that of the sender or of a recipient.
async function ask_queue(after) {
  const { what, of, state, upstream } = mail_query;
  const query = { state, upstream, limit: mail_a_page, after, details: true };
  const is_address = /^[^<\s]*@[^>\s]*$/.test(what);
  if (!what) return get_lines("queue", query);
  if (!is_address) return { rows: [], more: false };
  if (of) return get_lines("queue", { ...query, [of]: what });
  const [sent, received] = await Promise.all([get_lines("queue", { ...query, sender: what }), get_lines("queue", { ...query, recipient: what })]);
  const found = new Map([...sent.rows, ...received.rows].map((row) => [row.id, row]));
  const rows = [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { rows: rows.slice(0, mail_a_page), more: sent.more || received.more || rows.length > mail_a_page };
}

let mail_question = 0;
async function reload_mail() {
  const mine = ++mail_question;
  by_id("queue").setAttribute("aria-busy", "true");
  try {
    const answer = await ask_queue(mail_pages.at(-1));
    if (mine !== mail_question) return;
    mail_rows = answer.rows;
    mail_more = answer.more;
    mail_time = new Date(now()).toISOString();
    show_queue();
  } catch (error) {
    if (mine === mail_question) show(by_id("queue"), el("p", { class: "refused" }, error.message));
  } finally {
    by_id("queue").removeAttribute("aria-busy");
  }
}

function gone_row(message) {
  const first = message.events?.[0] ?? {};
  const last = message.events?.at(-1) ?? {};
  const to = (message.recipients ?? []).map((one) => one.to);
  return el("tr", { class: "row", "data-key": message.id },
    el("th", { scope: "row" }, el("a", { href: "#mail/" + encoded(message.id) }, plain(message.id))),
    cell("What became of it", state_badge(message.state)),
    cell("From", address(first.from), to.length > 0 && el("div", {}, "to ", listed(to, 3))),
    cell("Last told", last.response || last.reason ? said([last.code, last.response ?? last.reason].filter(Boolean).join(" "), { limit: 300 }) : plain(last.event)),
    cell("Came", moment(first.time)), cell("Last", moment(last.time)));
}

async function reload_gone() {
  const place = by_id("gone");
  const { what, state } = mail_query;
  const failed = by_id("only-failed")?.checked ?? false;
  try {
    const { rows, more } = await get_lines("history", { query: what, failed: failed || "", limit: 50 });
    if (what !== mail_query.what || state !== mail_query.state) return;
    rows.reverse();
    show(place,
      el("div", { class: "bar heads" }, el("h2", {}, "What became of mail"), el("label", { class: "check" }, el("input", { type: "checkbox", id: "only-failed" }), " what failed only")),
      rows.length ? table("Messages in the history", ["Id", "What became of it", "From and to", "Last told", "Came", "Last"], rows.map(gone_row), { class: "cards gone", caption: "unseen" })
        : el("p", { class: "empty" }, what ? "The history knows of no such message." : "The history has nothing yet."),
      more && el("p", { class: "quiet" }, advised("There are more: these are the last 50. `relayd history` shows all.")));
  } catch (error) {
    show(place, el("h2", {}, "What became of mail"), el("p", { class: "refused" }, error.message));
  }
}

function go_to_page(pages) {
  mail_pages = pages;
  chosen.clear();
  chosen_all = false;
  reload_mail();
}

acts.next_page = () => go_to_page([...mail_pages, mail_rows.at(-1).id]);
acts.previous_page = () => go_to_page(mail_pages.slice(0, -1));
acts.refresh_mail = () => Promise.all([reload_mail(), reload_gone()]);
acts.choose_all = () => {
  chosen_all = true;
  show_queue();
};

// "#mail?what=…&of=…&state=…&upstream=…"
function open_mail(query) {
  by_id("message").hidden = true;
  by_id("mail-search").hidden = false;
  const wanted = Object.fromEntries(["what", "of", "state", "upstream"].map((name) => [name, query.get(name) ?? ""]));
  for (const [name, value] of Object.entries(wanted)) by_id("mail-filter").elements[name].value = value;
  if (JSON.stringify(wanted) !== JSON.stringify(mail_query)) {
    mail_pages = [""];
    mail_rows = [];
    chosen.clear();
    chosen_all = false;
  }
  mail_query = wanted;
  return Promise.all([reload_mail(), reload_gone()]);
}

function search_mail() {
  const form = new FormData(by_id("mail-filter"));
  const fields = [...form].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
  const what = form.get("what").trim();
  const hash = id_form.test(what) ? "#mail/" + what : "#mail" + (fields.length ? "?" + new URLSearchParams(fields) : "");
  if (hash === location.hash) open_view();
  else location.hash = hash;
}

function begin_mail() {
  by_id("mail-filter").addEventListener("submit", (event) => {
    event.preventDefault();
    search_mail();
  });
  for (const name of ["state", "of"]) by_id("mail-filter").elements[name].addEventListener("change", search_mail);
  by_id("queue").addEventListener("change", ({ target }) => {
    if (target.id === "choose-page") chosen = new Set(target.checked ? mail_rows.map((row) => row.id) : []);
    else target.checked ? chosen.add(target.dataset.id) : chosen.delete(target.dataset.id);
    chosen_all = false;
    show_queue();
  });
  by_id("gone").addEventListener("change", reload_gone);
}
