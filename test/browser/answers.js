// What the stand-in answers: a calm relay, one in trouble, one with 100,000 messages.
"use strict";

const BASE = Date.now();

function ago(seconds) {
  return new Date(BASE - seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}

function lane(upstream, account, more = {}) {
  return {
    upstream, account, state: "idle", connections: { busy: 0, idle: 0, allowed: 10 }, waiting: 0, pipelining_reduced: false,
    next_password: false, port: 587, first_port: 587, ...more,
  };
}

function by_name(lanes) {
  return Object.fromEntries(lanes.map((one) => [`${one.upstream} ${one.account}`, one]));
}

const quota = { limit: 50000, left: 31240, counts: "recipients", period: "day", total: false, resets_at: ago(-36000), resets_in: 36000 };
const well = lane("office", "relay@example.com", {
  state: "open", connections: { busy: 1, idle: 2, allowed: 10 }, waiting: 3, rates: ["14/s"], quotas: [quota], quota,
  last_reply: "250 2.0.0 Ok: queued as 1j0m0u4f194", last_reply_at: ago(2), last_reply_age: 2,
});

function status(more = {}) {
  return {
    version: "0.1.0", time: ago(0), uptime: 11550, process: { user: "relayd", uid: 990, confined: true, landlock: 4, seccomp: true },
    queue: { waiting: 14, ready: 1, held: 0, failed: 0, reporting: 0, oldest: { id: "1j0m1q185e7", accepted: ago(2820), age: 2820 } },
    trouble: [], since_start: { recovered_in_doubt: 0, disk_troubles: 0 }, suppressed: { on: true, count: 12 }, unused_upstreams: ["backup"],
    configuration: { loaded: ago(11550) },
    accounts: [{ upstream: "office", account: "relay@example.com", state: "ok", since: ago(864000), looked_at: ago(3400), looked_age: 3400 }],
    credentials: [
      { kind: "client_secret", upstream: "office", account: "relay@example.com", ends_at: ago(-86400 * 84), ends_in: 86400 * 84 },
      { kind: "access_token", upstream: "office", account: "relay@example.com", ends_at: ago(-2950), ends_in: 2950 }],
    webhooks: [{ url: "https://app.example.com/mail-events", waiting_octets: 0, sent: 1204, dropped: 0, disabled: false }],
    ...more,
  };
}

// Deterministic, and like a day: calm at night, with a peak and some trouble.
function series(step, length, busy) {
  const one = { step, end: ago(0), accepted: [], delivered: [], deferred: [], failed: [], waiting: [], seconds: [] };
  for (let i = 0; i < length; i++) {
    const wave = Math.max(0, Math.sin(i / length * 5) + 1.2 + Math.sin(i * 1.7) * 0.3 + Math.sin(i * 0.61) * 0.25);
    const trouble = i > length * 0.62 && i < length * 0.74;
    one.accepted.push(Math.round(wave * busy));
    one.delivered.push(Math.round(wave * busy * (trouble ? 0.35 : 1)));
    one.deferred.push(trouble ? Math.round(wave * busy * 0.5) : i % 17 === 0 ? Math.round(busy / 8) : 0);
    one.failed.push(i % 41 === 0 ? Math.round(busy / 12) : 0);
    one.waiting.push(Math.round(6 + wave * 4 + (trouble ? (i - length * 0.62) * busy * 0.3 : i >= length * 0.74 ? Math.max(0, length * 0.8 - i) * busy * 0.6 : 0)));
    one.seconds.push(i > length * 0.3 && i < length * 0.33 ? null : Math.round((0.4 + wave * 0.2 + (trouble ? 6 : 0)) * 1000) / 1000);
  }
  return one;
}

const id_of = (i) => "1j0m" + i.toString(32).padStart(7, "0");

function row(i, more = {}) {
  return { id: id_of(i), from: `app${i % 7}@example.com`, size: 1200 + i * 37 % 90000, accepted: ago(9000 - i % 8000), state: "waiting", pending: 1, attempts: i % 4, to: `customer${i * 7919 % 5000}@rcpt.example`, to_count: 1, ...(i % 4 && { reason: "451 4.3.2 Try again in 20 minutes" }), ...(more.state && more.state !== "waiting" ? {} : { due_in: 30 + i % 300 }), ...more };
}

const header = "Received: from app-1.example.com ([127.0.0.1]) by mail.example.com; Mon, 23 Nov 2026 09:12:01 +0000\r\n" +
  "From: Shop <orders@example.com>\r\nTo: =?utf-8?q?J=C3=BCrgen?= <juergen@customer.example>\r\n" +
  "Subject: =?utf-8?B?WW91ciBvcmRlciA0MjE3IOKAkyB0aGFuayB5b3Uh?=\r\nMessage-ID: <20261123.4217@shop.example>\r\nDate: Mon, 23 Nov 2026 09:12:00 +0000\r\n";

const events = [
  { time: ago(2820), event: "accepted", from: "orders@example.com", to: ["juergen@customer.example"], instead_of: ["customer-4217@example.com"], message_id: "<20261123.4217@shop.example>", size: 18211, client: "127.0.0.1", account: "shop", tls: "TLSv1.3" },
  { time: ago(2819), event: "deferred", from: "orders@example.com", to: "juergen@customer.example", rule: "@example.com", upstream: "mailgun", host: "smtp.eu.mailgun.org:587", account: "postmaster@shop.example", tls: "TLSv1.3", stage: "auth", code: 535, response: "5.7.8 Authentication failed", class: "auth", attempt: 1, delay: "0.612" },
  { time: ago(2700), event: "deferred", from: "orders@example.com", to: "juergen@customer.example", rule: "@example.com", upstream: "office", host: "smtp.office.example:587", account: "relay@example.com", tls: "TLSv1.3", stage: "final_dot", code: 451, response: "4.3.2 Try again in 20 minutes", class: "temp", attempt: 2, delay: "120.113" },
];

function message(id) {
  return {
    ...row(1), id, from: "orders@example.com", sender: "orders@example.com", size: 18211, accepted: ago(2820), attempts: 2, due_in: 211, client: "127.0.0.1", account: "shop", listener: "apps",
    upstreams: ["mailgun", "office"], routes: [{ rule: "@example.com", where: "relayd.yaml:14", upstreams: [{ upstream: "mailgun", account: "postmaster@shop.example" }, { upstream: "office", account: "relay@example.com" }] }], recipients: [{ to: "juergen@customer.example", state: "pending" }], header,
    history: [{ event: "attempt", time: ago(2700), upstream: "office", account: "relay@example.com", host: "smtp.office.example:587", recipients: [{ to: "juergen@customer.example", state: "pending", code: 451, response: "4.3.2 Try again in 20 minutes" }] }],
  };
}

const left = {
  id: "1j0lz000000", state: "delivered", recipients: [{ to: "bob@customer.example", state: "delivered" }],
  events: [
    { time: ago(4000), event: "accepted", from: "ann@example.com", to: ["bob@customer.example"], message_id: "<text@client.example>", size: 357, client: "127.0.0.1" },
    { time: ago(3999), event: "delivered", from: "ann@example.com", to: "bob@customer.example", rule: "*", upstream: "office", host: "smtp.office.example:587", account: "relay@example.com", stage: "final_dot", code: 250, response: "2.0.0 Ok: queued as Q42", provider_id: "Q42", class: "ok", attempt: 1, delay: "0.412" }],
};

// A relay that is well. Each test changes what it is about.
function calm() {
  const rows = Array.from({ length: 14 }, (_, i) => row(i, i === 3 ? { in_line: true, due_in: 0 } : {}));
  return {
    status: status(), lanes: by_name([well, lane("office", "bills@example.com"), lane("inhouse", "")]),
    series: { hour: series(15, 240, 12), day: series(300, 288, 240) },
    queue: (query) => ({ rows: rows.filter((one) => (!query.state || one.state === query.state) && (!query.sender || one.from === query.sender) && !query.recipient) }),
    message: (id) => rows.some((one) => one.id === id) ? message(id) : null,
    history: ({ query }) => ({ rows: !query || [left.id, "bob@customer.example", "<text@client.example>"].includes(query) ? [left]
      : rows.some((one) => one.id === query) ? [{ id: query, state: "deferred", recipients: [{ to: "juergen@customer.example", state: "deferred" }], events }] : [] }),
    explain: ({ sender }) => ({ text: `${sender} leaves by:\n  1. mailgun as postmaster@shop.example\n  2. office as relay@example.com\n`, exit: 0 }),
    act: (path, body) => (body.ids ?? [`${body.upstream} ${body.account}`]).map((id) => ({ id, done: path.split("/")[1] })),
    reload: () => ({ taken: true, errors: [], warnings: [], left: [] }),
    some_lanes: () => ({ lanes: [], total: 0 }),
    captured: () => ({ body: JSON.stringify({ end: true, count: 0, more: false }) + "\n" }),
  };
}

// What a Monday morning may look like.
function troubled() {
  const answers = calm();
  const used_up = { ...quota, left: 0 };
  answers.lanes = by_name([
    lane("mailgun", "postmaster@shop.example", { state: "paused", closed_until: ago(-43), closed_for: 43, class: "auth", reason: "5.7.8 Authentication failed", pauses: 12, waiting: 8120,
      since: ago(5000), advice: "Correct `username` and `password` of 'postmaster@shop.example' (there: the SMTP credentials of the domain), or let the account use SMTP in the provider's settings", last_reply: "535 5.7.8 Authentication failed", last_reply_at: ago(17), last_reply_age: 17 }),
    lane("ses", "AKIAEXAMPLE", { state: "quota_used_up", closed_until: ago(-18000), closed_for: 18000, quotas: [used_up], quota: used_up, waiting: 422, last_reply: "454 4.7.0 Throttling failure: Daily message quota exceeded", last_reply_at: ago(640), last_reply_age: 640 }),
    lane("office", "bills@example.com", { state: "slowed", recipients_per_minute: 30, connections: { busy: 1, idle: 0, allowed: 4 }, waiting: 61, last_reply: "250 2.0.0 OK", last_reply_at: ago(1), last_reply_age: 1, learnt: { ahead: "earned", connections: 4, limits: [{ key: "rate", value: "30/m", holds_until: ago(-3000), holds_for: 3000 }], offer: ["PIPELINING", "SIZE 157286400"] } }),
    lane("newsletter", "bulk", { state: "stopped", waiting: 1290 }),
    well, lane("inhouse", "")]);
  answers.status = status({
    trouble: [
      { severity: "critical", what: "mailgun as postmaster@shop.example fails: 535 5.7.8 Authentication failed", since: ago(5100), for: 5100, upstream: "mailgun", account: "postmaster@shop.example",
        advice: "Correct `username` and `password` of 'postmaster@shop.example' (there: the SMTP credentials of the domain), or let the account use SMTP in the provider's settings" },
      { severity: "critical", what: "message 1j0m1q185e7 still waits after 247 min", since: ago(14820), for: 14820, advice: "`relayd queue show 1j0m1q185e7` has each attempt" },
      { severity: "warning", what: "newsletter as bulk is paused by the operator", since: ago(7300), for: 7300, advice: "`relayd lane resume newsletter` lets it go on", upstream: "newsletter", account: "bulk" },
      { severity: "warning", what: "ses as AKIAEXAMPLE is held back by a quota that is used up", advice: "Mail waits until it comes back; `limits` has it", upstream: "ses", account: "AKIAEXAMPLE" },
      { severity: "warning", what: "messages are held since an upstream may already have taken them: 3", advice: "`relayd queue list --state held` shows them; ask the upstream, then `relayd queue retry --not-taken ID`, or delete what was taken" },
      { severity: "warning", what: "the client secret of office as relay@example.com ends in 6 days", advice: "Make a new one at the provider, and correct `secret_expires`", upstream: "office", account: "relay@example.com" },
      { severity: "warning", what: "webhooks to https://ops.example.com/hooks/relayd fail: HTTP status 500", since: ago(1500), for: 1500, advice: "Its events wait on disk until it takes them" },
      { severity: "warning", what: "the configuration on disk cannot be used: relayd.yaml:41: upstreams.mailgun.pasword: unknown key; did you mean `password`?", since: ago(900), for: 900, advice: "Correct it; until then the old one stays, and a start would fail" }],
    queue: { waiting: 9893, ready: 4, held: 3, failed: 21, reporting: 0, oldest: { id: "1j0m1q185e7", accepted: ago(14820), age: 14820 } },
    since_start: { recovered_in_doubt: 2, disk_troubles: 0 },
    accounts: [
      { upstream: "mailgun", account: "postmaster@shop.example", state: "failing", since: ago(5100), looked_at: ago(300), looked_age: 300, class: "auth", reason: "535 5.7.8 Authentication failed", advice: "Correct `username` and `password` of 'postmaster@shop.example'" },
      { upstream: "ses", account: "AKIAEXAMPLE", state: "suspected", since: ago(200), looked_at: ago(200), looked_age: 200, class: "quota", reason: "454 4.7.0 Throttling failure", advice: "The quota is used up: mail waits until it comes back" },
      ...status().accounts],
    credentials: [{ kind: "client_secret", upstream: "office", account: "relay@example.com", ends_at: ago(-86400 * 6), ends_in: 86400 * 6 }, status().credentials[1]],
    configuration: { loaded: ago(11550), failed: { time: ago(900), reason: "relayd.yaml:41: upstreams.mailgun.pasword: unknown key; did you mean `password`?", errors: 2 } },
    webhooks: [{ url: "https://ops.example.com/hooks/relayd", waiting_octets: 3120, sent: 1204, dropped: 0, disabled: false, reason: "HTTP status 500", failing_since: ago(1500), next_try: ago(-240), next_try_in: 240 }],
  });
  const rows = [row(1, { state: "held", in_doubt: true, doubted: "office", doubts: 3, attempts: 3, from: "orders@example.com" }), ...Array.from({ length: 8 }, (_, i) => row(i + 2, i === 2 ? { state: "failed" } : i === 5 ? { state: "ready" } : {}))];
  answers.queue = ({ state }) => ({ rows: rows.filter((one) => !state || one.state === state) });
  answers.message = (id) => id === rows[0].id ? { ...message(id), ...rows[0] } : rows.some((one) => one.id === id) ? message(id) : null;
  return answers;
}

// Nothing has happened yet.
function empty() {
  const answers = calm();
  const none = (one) => ({ ...one, accepted: one.accepted.map(() => 0), delivered: one.delivered.map(() => 0), deferred: one.deferred.map(() => 0), failed: one.failed.map(() => 0), waiting: one.waiting.map(() => 0), seconds: one.seconds.map(() => null) });
  return {
    ...answers, lanes: {}, queue: () => ({ rows: [] }), message: () => null, history: () => ({ rows: [] }),
    status: status({ uptime: 4, queue: { waiting: 0, ready: 0, held: 0, failed: 0, reporting: 0 }, suppressed: { on: false, count: 0 }, accounts: undefined, credentials: undefined, webhooks: undefined, unused_upstreams: ["office"] }),
    series: { hour: none(answers.series.hour), day: none(answers.series.day) },
  };
}

const MANY = 100_000;

// 100,000 messages wait, and there are 10,000 lanes, of which the 200 most troubled are told.
function large() {
  const answers = calm();
  const lanes = Array.from({ length: 10_000 }, (_, i) => lane("office", `user${i}@example.com`, i < 900
    ? { state: "paused", class: "auth", reason: "5.7.8 Authentication failed", closed_until: ago(-60), closed_for: 60, waiting: 11 } : { state: "open", waiting: 10 }));
  answers.status.queue.waiting = MANY;
  answers.lanes = by_name(lanes.slice(0, 200));
  answers.lanes_total = lanes.length;
  answers.some_lanes = ({ account, trouble }) => {
    const found = lanes.filter((one) => (!account || one.account === account) && (!trouble || one.state === "paused"));
    return { lanes: found.slice(0, 1000), total: found.length };
  };
  answers.queue = ({ after, limit, state }) => {
    const from = after ? parseInt(after.slice(4), 32) + 1 : 0;
    const length = state && state !== "waiting" ? 0 : Math.max(0, Math.min(Number(limit ?? MANY), MANY - from));
    return { rows: Array.from({ length }, (_, i) => row(from + i)), more: from + length < MANY };
  };
  answers.act = (path, body) => Array.from({ length: body.ids ? body.ids.length : MANY }, (_, i) => ({ id: body.ids?.[i] ?? id_of(i), done: path.split("/")[1] }));
  return answers;
}

module.exports = { calm, troubled, empty, large, lane, row, message, MANY };
