"use strict";
// One message: what it is, what happened to it, and its header as text.

let message_id = ""; // the one that is shown

// "=?utf-8?q?…?=" of a header field, read (RFC 2047); what cannot be read stays.
function decoded(text) {
  return text.replace(/\r?\n[ \t]/g, " ").replace(/(\?=)\s+(=\?)/g, "$1$2")
    .replace(/=\?([\w-]+)(?:\*[\w-]*)?\?([bq])\?([^?\s]*)\?=/gi, (word, charset, encoding, value) => {
      try {
        const octets = encoding.toLowerCase() === "b" ? atob(value)
          : value.replaceAll("_", " ").replace(/=([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
        return new TextDecoder(charset).decode(Uint8Array.from(octets, (octet) => octet.charCodeAt(0)));
      } catch {
        return word;
      }
    });
}

function field_of(header, name) {
  const match = new RegExp(`^${name}:((?:.*)(?:\\r?\\n[ \\t].*)*)`, "im").exec(header ?? "");
  return match ? decoded(match[1].trim()) : "";
}

function way_of(event) {
  const parts = [];
  if (event.attempt) parts.push(`attempt ${count(event.attempt)}`);
  if (event.upstream) parts.push(["by ", said(event.upstream)]);
  if (event.host) parts.push(["at ", said(event.host)]);
  if (event.account) parts.push(["as ", said(event.account)]);
  const way = parts.map((part, i) => [i > 0 ? " " : "", part]);
  if (event.rule) way.push([way.length ? ", rule " : "rule ", quoted(event.rule)]);
  if (event.delay !== undefined) way.push(`, ${duration(Number(event.delay))} after it came`);
  if (event.tls && event.upstream) way.push([", ", said(event.tls)]);
  return way;
}

function lines_of(event) {
  const reply = [event.code || "", event.response ?? ""].filter(Boolean).join(" ");
  const placed = event.class && event.stage && event.event !== "delivered" ? ` (${plain(event.class)} at ${plain(event.stage)})` : "";
  return [way_of(event),
    event.sent_from ? ["sent from ", address(event.sent_from)] : null,
    event.sent_to ? ["sent to ", address(event.sent_to)] : null,
    reply ? [el("span", { class: "reply" }, said(reply)), placed] : null,
    event.reason ? said(event.reason) : null,
    event.report ? ["report ", el("a", { href: "#mail/" + encoded(event.report) }, plain(event.report))] : null,
    event.by ? `by the ${plain(event.by)}` : null,
    event.provider_id ? ["the provider's id: ", el("code", {}, said(event.provider_id))] : null,
  ].filter((line) => line && line.length !== 0);
}

function is_arrival(event) {
  return !event.by && ["accepted", "held", "discarded"].includes(event.event) && (event.size || event.message_id || event.client);
}

function event_row(event) {
  const about = event.to ?? event.about;
  const arrival = is_arrival(event) && [event.client && ["from client ", said(event.client)], event.account && [" as ", said(event.account)],
    event.tls && [" by ", said(event.tls)]];
  return el("li", { class: `event ${class_of(event.event)}` },
    el("div", { class: "when" }, moment(event.time)),
    el("div", {}, el("p", {}, state_badge(event.event), " ",
      about !== undefined && !arrival ? listed(about) : ""),
    arrival ? el("p", {}, arrival) : lines_of(event).map((line) => el("p", {}, line))));
}

// Events as the queue has them, in the form of the history's.
function events_of_queue(message) {
  return (message.history ?? []).flatMap((event) => {
    const { recipients, ...rest } = event;
    if (!recipients?.length) return [rest];
    return recipients.map((one) => ({ ...rest, event: one.state ?? rest.event, to: one.to, code: one.code, response: one.response, provider_id: one.provider_id }));
  });
}

function recipients_of(message, past) {
  const all = message?.recipients ?? past?.recipients ?? [];
  const shown = all.slice(0, 200).map((one) => el("li", {}, address(one.to), " ", state_badge(one.state)));
  return all.length > 200 ? [shown, el("li", {}, `and ${count(all.length - 200)} more`)] : shown;
}

function facts_of(message, past) {
  const arrival = past?.events?.find(is_arrival) ?? {};
  const queued = message ?? {};
  const from = queued.sender ?? arrival.from;
  return el("dl", { class: "facts" },
    fact("from", from === undefined ? "" : address(from), queued.from !== undefined && queued.from !== from && [", routed as ", address(queued.from)]),
    fact("to", el("ul", { class: "bare" }, recipients_of(message, past))),
    fact("instead of", arrival.instead_of && [listed(arrival.instead_of), el("span", { class: "quiet" }, " (aliases, copies)")]),
    fact("Message-ID", said(arrival.message_id || field_of(queued.header, "Message-ID"))),
    fact("came", moment_and_age(queued.accepted ?? arrival.time)),
    fact("client", said(queued.client ?? arrival.client), (queued.account || arrival.account) && [" as ", said(queued.account || arrival.account)],
      (queued.listener || arrival.listener) && [", listener ", said(queued.listener || arrival.listener)], arrival.tls && [", ", said(arrival.tls)]),
    fact("size", queued.size || arrival.size ? octets(queued.size ?? arrival.size) : ""),
    (queued.routes ?? []).map((route) => fact("rule", quoted(route.rule), route.where && [el("span", { class: "quiet" }, " at "), said(route.where)], ": ",
      (route.upstreams ?? []).map((way, i) => [i > 0 ? ", then " : "", said(way.upstream), way.account && [" as ", said(way.account)]]))),
    message && [!queued.routes && fact("upstreams", queued.upstreams?.length ? [listed(queued.upstreams), el("span", { class: "quiet" }, " in this order")] : "none: no rule is for it"),
      fact("tried", queued.attempts > 0 ? several(queued.attempts, "time", "times") : "not yet"),
      fact("next", queued.state === "waiting" && due_text(queued)),
      queued.shipments?.length > 1 && fact("shipments", el("ul", { class: "bare" }, queued.shipments.map((one) => el("li", {}, state_mark(one),
        ` ${several(one.pending, "recipient", "recipients")} to go, tried ${several(one.attempts, "time", "times")}`, one.state === "waiting" ? [", ", due_text(one)] : ""))))]);
}

function doubt_of(message) {
  const doubted = (message.shipments ?? [message]).filter((one) => one.in_doubt);
  return doubted.map((one) => el("p", { class: "outcome warning" }, el("strong", {}, said(one.doubted), " may already have taken it. "),
    `Doubtful recipients: ${count(one.pending)}. Look there: if it has not, choose “Not taken”; if it has, delete the message once the others are delivered.`));
}

function deeds_for(message) {
  const can = message.state === "failed" ? ["retry", "delete"] : message.state === "reporting" ? ["delete"]
    : message.state === "held" ? ["release", "retry", "delete"] : ["retry", "hold", "delete"];
  if ((message.shipments ?? []).some((one) => one.state === "held") && !can.includes("release")) can.splice(1, 0, "release");
  if (message.in_doubt) can.splice(1, 0, "not_taken");
  return can;
}

function show_message_outcome() {
  show(by_id("message-outcome") ?? el("div"), outcome_box());
}

// What the queue and the history know of it; an error where one of them cannot say.
async function ask_message(id) {
  const path = "queue/" + encoded(id);
  const [queued, past] = await Promise.allSettled([get(path), get_lines("history", { query: id, limit: 5 })]);
  if (queued.status === "rejected" && queued.reason.status !== 404) throw queued.reason;
  return {
    message: queued.status === "fulfilled" ? queued.value : null,
    past: past.status === "fulfilled" ? past.value.rows.find((one) => one.id === id) : null,
  };
}

function show_message(id, { message, past }) {
  const header = message?.header;
  const subject = field_of(header, "Subject");
  const events = past?.events?.length ? past.events : message ? events_of_queue(message) : [];
  const state = message ? state_mark(message) : past ? state_badge(past.state) : "";
  show(by_id("message"), el("p", {}, el("a", { href: mail_hash() }, "← Mail")),
    el("div", { class: "title" }, el("h2", { id: "message-title", tabindex: "-1" }, subject ? said(subject) : ["Message ", plain(id)]),
      el("p", {}, el("code", {}, plain(id)), " ", state, !message && past ? " · it has left the queue" : "")),
    el("div", { id: "message-outcome" }),
    !message && !past && el("p", { class: "empty" }, "Neither the queue nor the history knows of such a message."),
    message && [doubt_of(message), el("div", { class: "bar" }, deed_buttons(deeds_for(message), id),
      el("button", { type: "button", class: "small", "data-act": "refresh_message" }, "Refresh"),
      el("button", { type: "button", class: "small", "data-act": "save", "data-id": id }, "Save the message"))],
    (message || past) && facts_of(message, past),
    events.length > 0 && [el("h3", {}, "What happened"), el("ol", { class: "story" }, events.map(event_row))],
    header && [el("h3", {}, "Header"), el("pre", { tabindex: "0", "aria-label": "Header of the message" }, said(header, { limit: 70_000, lines: true }))]);
}

function mail_hash() {
  const fields = Object.entries(mail_query ?? {}).filter(([, value]) => value);
  return "#mail" + (fields.length ? "?" + new URLSearchParams(fields) : "");
}

// "#mail/ID"
async function open_message(id) {
  const is_new = message_id !== id;
  message_id = id;
  by_id("mail-search").hidden = true;
  by_id("message").hidden = false;
  if (is_new) {
    mail_outcome = null;
    show(by_id("message"), el("p", { class: "quiet" }, "Asking…"));
  }
  try {
    const found = await ask_message(id);
    if (message_id !== id) return;
    mail_time = new Date(now()).toISOString();
    show_message(id, found);
    show_message_outcome();
    if (is_new) by_id("message-title")?.focus({ preventScroll: false });
  } catch (error) {
    if (message_id !== id) return;
    show(by_id("message"), el("p", {}, el("a", { href: mail_hash() }, "← Mail")), el("p", { class: "refused" }, error.message));
  }
}

// A link could not say the token.
async function save(path, name) {
  const answer = await ask(address_of(path));
  if (!answer.ok) await refuse(answer);
  const link = el("a", { href: URL.createObjectURL(await answer.blob()), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

acts.save = ({ id }) => attempt(() => save(`queue/${encoded(id)}/message`, `${id}.eml`));

acts.refresh_message = () => open_message(message_id);
