"use strict";
// The view "Captured": what sandbox upstreams have kept, and one message of it. Its HTML is shown in a frame that runs,
// loads and sends nothing; all else of it is text.

const captured_a_page = 100;
const most_read = 2 << 20; // octets of a text, a source or HTML
const most_links = 500;

let captured_query = null; // what the fragment asks for: {query, upstream}
let captured_pages = [""]; // where the pages up to this one begin
let captured_list = { rows: [], end: {} };
let captured_ref = ""; // "UPSTREAM/ID" of the message that is shown

function show_captured_tab(status) {
  by_id("tab-captured").hidden = !(status.sandboxes?.length > 0);
}

function captured_hash() {
  const fields = Object.entries(captured_query ?? {}).filter(([, value]) => value);
  return "#captured" + (fields.length ? "?" + new URLSearchParams(fields) : "");
}

// --- the list ---

function captured_row(row) {
  const ref = `${row.upstream}/${row.id}`;
  const recipients = row.recipients ?? [], more = row.recipients_count - recipients.length;
  return el("tr", { class: "row", "data-key": ref },
    el("th", { scope: "row" }, el("a", { href: "#captured/" + encoded(ref) }, row.subject ? said(decoded(row.subject), { limit: 200 }) : "(no subject)")),
    cell("From", row.from ? said(decoded(row.from), { limit: 330 }) : address(row.sender)),
    cell("To", listed(recipients), more > 0 && ` and ${count(more)} more`),
    cell("Kept", moment(row.time), el("div", { class: "quiet" }, "by ", said(row.upstream))),
    cell_of_number("Size", octets(row.size)));
}

function show_captured_list() {
  const { rows, end } = captured_list;
  const found = rows.filter((row) => row.id), faults = rows.filter((row) => row.error);
  const is_asked = captured_query.query || captured_query.upstream;
  const none = end.more ? "None of these is like that; there are older ones." : is_asked ? "No captured message is like that." : "No message has been captured.";
  show(by_id("captured-list"),
    faults.map((row) => el("p", { class: "outcome refused" }, said(row.error))),
    found.length ? table("Captured messages", ["Subject", "From", "To", "Kept", "Size"], found.map(captured_row), { class: "cards", caption: "unseen" }) : el("p", { class: "empty" }, none),
    el("div", { class: "bar pages" }, el("span", {}, "The newest first"),
      el("button", { type: "button", class: "small", "data-act": "captured_newer", disabled: captured_pages.length < 2 }, "Previous"),
      el("button", { type: "button", class: "small", "data-act": "captured_older", disabled: !end.more }, "Next"),
      el("button", { type: "button", class: "small", "data-act": "captured_refresh" }, "Refresh"),
      el("button", { type: "button", class: "small grave", "data-act": "captured_clear" }, "Clear…")));
}

let captured_question = 0;
async function reload_captured() {
  const mine = ++captured_question;
  const place = by_id("captured-list");
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await ask(address_of("captured", { ...captured_query, limit: captured_a_page, after: captured_pages.at(-1) }));
    if (!answer.ok) await refuse(answer);
    const rows = [];
    const end = await read_lines(answer, (row) => rows.push(row));
    if (mine !== captured_question) return;
    captured_list = { rows, end };
    show_captured_list();
  } catch (error) {
    if (mine === captured_question) show(place, el("p", { class: "refused" }, error.message));
  } finally {
    place.removeAttribute("aria-busy");
  }
}

function go_to_captured(pages) {
  captured_pages = pages;
  return reload_captured();
}

acts.captured_older = () => go_to_captured([...captured_pages, captured_list.end.after]);
acts.captured_newer = () => go_to_captured(captured_pages.slice(0, -1));
acts.captured_refresh = () => go_to_captured([""]);

acts.captured_clear = () => attempt(async () => {
  const { upstream } = captured_query;
  const about = upstream ? `that ${plain(upstream)} has kept` : "that sandboxes have kept";
  if (!await confirmed(`Clear all messages ${about}?`, "Clear", el("p", {}, "Their files are deleted for good, also those that the search does not show."), true)) return;
  const { removed, errors } = await (await change("captured/clear", upstream ? { upstream } : {})).json();
  tell(`${several(removed, "message", "messages")} deleted.` + (errors.length ? ` That did not work: ${plain(errors[0])}` : ""));
  await go_to_captured([""]);
});

// --- one message ---

// The first octets of an answer as text, in a charset of the mail's.
async function read_text(path, charset = "utf-8") {
  const answer = await ask(address_of(path));
  if (!answer.ok) await refuse(answer);
  const reader = answer.body.getReader();
  let decoder = new TextDecoder();
  try {
    decoder = new TextDecoder(charset || "utf-8");
  } catch {
    // Nobody knows that charset.
  }
  let text = "";
  for (let size = 0; size < most_read;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.length;
    text += decoder.decode(value, { stream: true });
  }
  reader.cancel();
  return text;
}

const entities = { amp: "&", lt: "<", gt: ">", quot: "\"", apos: "'" };

function without_entities(text) {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(amp|lt|gt|quot|apos));?/gi, (whole, decimal, hex, name) => {
    if (name) return entities[name.toLowerCase()];
    const number = decimal ? Number(decimal) : parseInt(hex, 16);
    return number <= 0x10ffff ? String.fromCodePoint(number) : whole;
  });
}

// Where a message leads: attributes of its HTML, and addresses in its text. It is searched and not parsed, so that
// nothing of it becomes an element here.
function links_in(html, text) {
  const found = new Set();
  for (const [, value] of html.matchAll(/[\s"'/](?:href|src|action|formaction|background|poster|srcset|ping|data)\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)/gi)) {
    const link = without_entities(value.replace(/^(["'])(.*)\1$/s, "$2")).trim();
    if (link && !/^(?:data|cid):/i.test(link)) found.add(link);
  }
  for (const [link] of text.matchAll(/\b(?:https?:\/\/|mailto:)[^\s<>"']+/gi)) found.add(link);
  return [...found];
}

function captured_facts(message) {
  const { envelope } = message;
  const field = (name, label) => message[name] && fact(label, said(decoded(message[name]), { limit: 2000 }));
  return el("dl", { class: "facts" }, field("from", "from"), field("to", "to"), field("cc", "cc"), field("reply_to", "reply to"), field("date", "date"),
    fact("envelope", address(envelope.sender), " to ", listed(envelope.recipients)),
    fact("client", said(envelope.client), envelope.account && [" as ", said(envelope.account)]),
    fact("kept", moment_and_age(message.time), " by ", said(message.upstream), envelope.username && [" as ", said(envelope.username)]),
    fact("size", octets(message.size)));
}

function captured_attachments(message) {
  const shown = [message.text, message.html?.part];
  const rows = message.parts.filter((part) => !shown.includes(part.part)).map((part) => el("tr", { class: "row" },
    el("th", { scope: "row" }, said(part.name)), cell("Type", said(part.type), part.content_id && " in the HTML"), cell_of_number("Size", octets(part.size)),
    cell("Save", el("button", { type: "button", class: "small", "data-act": "captured_save", "data-part": part.part, "data-name": part.name, "aria-label": `Save ${plain(part.name)}` }, "Save"))));
  return rows.length > 0 && table("Attachments", ["Name", "Type", "Size", "Save"], rows, { class: "cards", caption: "unseen" });
}

function text_box(label, text, limit) {
  return el("pre", { tabindex: "0", "aria-label": label }, text ? said(text, { limit, lines: true }) : "It is empty.");
}

// What can be shown of a message: [name, what it is called, what makes it].
function captured_sides(message) {
  const path = `captured/${captured_path(captured_ref)}`;
  const text_of_part = (number) => (number ? read_text(`${path}/part/${number}`, message.parts[number - 1].charset) : "");
  const attachments = captured_attachments(message);
  return [
    message.html && ["html", "HTML", () => [message.html.cut && el("p", { class: "outcome warning" }, `It is long: the first ${octets(most_read)} are shown.`),
      el("iframe", { sandbox: "", referrerpolicy: "no-referrer", title: "HTML of the message", src: message.html.address })]],
    message.text && ["text", "Text", async () => text_box("Text of the message", await text_of_part(message.text), 300_000)],
    attachments && ["attachments", `Attachments (${count(attachments.tBodies[0].rows.length)})`, () => attachments],
    ["links", "Links", async () => {
      const links = links_in(await text_of_part(message.html?.part), await text_of_part(message.text));
      if (!links.length) return el("p", { class: "empty" }, "The message has no links.");
      return [el("p", { class: "quiet" }, "Where they truly lead. None can be followed from here."),
        el("ul", { class: "links" }, links.slice(0, most_links).map((link) => el("li", {}, el("code", {}, said(link)))),
          links.length > most_links && el("li", {}, `and ${count(links.length - most_links)} more`))];
    }],
    ["header", "Header", () => text_box("Header of the message", message.header, 70_000)],
    ["source", "Source", async () => text_box("Source of the message", await read_text(path + "/source"), 300_000)],
  ].filter(Boolean);
}

// Each side is made when it is first looked at, and then stays: an address of a frame is good for minutes.
async function show_side(name, make_side) {
  for (const side of by_id("sides").children) side.hidden = side.id !== "side-" + name;
  const place = by_id("side-" + name);
  if (place.childNodes.length) return;
  place.append(el("p", { class: "quiet" }, "Reading…"));
  let made = null;
  try {
    made = await make_side();
  } catch (error) {
    made = el("p", { class: "refused" }, error.message);
  }
  show(place, made);
}

function show_captured(message) {
  const sides = captured_sides(message);
  const place = by_id("captured-message");
  place.replaceChildren();
  show(place, el("p", {}, el("a", { href: captured_hash() }, "← Captured")),
    el("div", { class: "title" }, el("h2", { id: "captured-title", tabindex: "-1" }, message.subject ? said(decoded(message.subject)) : "(no subject)"), el("p", {}, el("code", {}, plain(message.id)))),
    captured_facts(message),
    el("div", { class: "sides" }, el("fieldset", { class: "choice" }, el("legend", {}, "Shown of the message"),
      sides.map(([name, label], i) => el("label", {}, el("input", { type: "radio", name: "side", value: name, checked: i === 0 }), el("span", {}, label)))),
    el("button", { type: "button", class: "small", "data-act": "captured_save", "data-name": `${message.id}.eml` }, "Save the message")),
    el("div", { id: "sides" }, sides.map(([name]) => el("div", { id: "side-" + name, hidden: true }))));
  const makers = new Map(sides.map(([name, , make_side]) => [name, make_side]));
  place.querySelector(".choice").addEventListener("change", ({ target }) => show_side(target.value, makers.get(target.value)));
  return show_side(sides[0][0], sides[0][2]);
}

// "UPSTREAM/ID" as it stands in an address; the upstream's name may have anything in it.
function captured_path(ref) {
  const slash = ref.lastIndexOf("/");
  return `${encoded(ref.slice(0, slash))}/${encoded(ref.slice(slash + 1))}`;
}

acts.captured_save = ({ part, name }) => attempt(() => save(`captured/${captured_path(captured_ref)}/${part ? `part/${part}` : "source"}`, name));

// "#captured/UPSTREAM%2FID"
async function open_captured_message(ref) {
  captured_ref = ref;
  by_id("captured-search").hidden = true;
  by_id("captured-message").hidden = false;
  const place = by_id("captured-message");
  show(place, el("p", { class: "quiet" }, "Asking…"));
  try {
    const message = await get("captured/" + captured_path(ref));
    if (captured_ref !== ref) return;
    show_captured(message);
    by_id("captured-title").focus();
  } catch (error) {
    if (captured_ref === ref) show(place, el("p", {}, el("a", { href: captured_hash() }, "← Captured")), el("p", { class: "refused" }, error.message));
  }
}

// "#captured?query=…&upstream=…"
function open_captured(query) {
  captured_ref = "";
  by_id("captured-message").hidden = true;
  by_id("captured-message").replaceChildren();
  by_id("captured-search").hidden = false;
  const wanted = Object.fromEntries(["query", "upstream"].map((name) => [name, query.get(name) ?? ""]));
  for (const [name, value] of Object.entries(wanted)) by_id("captured-filter").elements[name].value = value;
  if (JSON.stringify(wanted) !== JSON.stringify(captured_query)) captured_pages = [""];
  captured_query = wanted;
  return reload_captured();
}

function begin_captured() {
  by_id("captured-filter").addEventListener("submit", (event) => {
    event.preventDefault();
    captured_query = Object.fromEntries([...new FormData(event.target)].map(([name, value]) => [name, value.trim()]));
    captured_pages = [""];
    if (captured_hash() === location.hash) open_view();
    else location.hash = captured_hash();
  });
}
