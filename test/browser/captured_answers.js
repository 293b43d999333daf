// What the stand-in answers of captured messages: each is {upstream, id, subject…, parts: [{type, charset, octets…}]}.
"use strict";

const fs = require("fs");
const path = require("path");

const SOURCE = fs.readFileSync(path.join(__dirname, "../../lib/watch/captured_desk.cpp"), "utf8");
const POLICY = /frame_policy =\s*"([^"]+)"/.exec(SOURCE)[1]; // the one that relayd sends

const kept = "2026-11-20T07:31:42Z";

function message(more) {
  return { upstream: "kept", id: "1j0m1q185e7", subject: "Your order", from: "Shop <orders@example.com>", to: "juergen@customer.example", date: "Fri, 20 Nov 2026 07:31:41 +0000",
    sender: "orders@example.com", recipients: ["juergen@customer.example"], parts: [], ...more };
}

const order = message({
  subject: "Ihre Bestellung =?koi8-r?b?8NLJ18XU?=",
  parts: [
    { type: "text/plain", charset: "iso-8859-1", octets: Buffer.from("Zw\xf6lf \xc4pfel: https://shop.example/a?b=1\r\n", "latin1") },
    { type: "text/html", charset: "utf-8", octets: Buffer.from("<h1>Zwölf Äpfel</h1><a href=\"https://shop.example/x?a=1&amp;b=2\">Look</a><img src=\"data:image/gif;base64,R0lGODlhAQABAAAAACw=\" alt=\"\">") },
    { type: "application/pdf", charset: "", octets: Buffer.from("%PDF-1.7"), name: "Rechnung für Köln.pdf" }],
});

function described(one) {
  const number = (type) => one.parts.findIndex((part) => part.type === type) + 1;
  const html = number("text/html"), text = number("text/plain");
  return {
    upstream: one.upstream, id: one.id, time: kept, size: 18211, subject: one.subject, from: one.from, to: one.to, date: one.date, header: `Subject: ${one.subject}\r\nFrom: ${one.from}\r\n`,
    envelope: { sender: one.sender, recipients: one.recipients, client: "127.0.0.1", account: "shop", username: "" },
    parts: one.parts.map((part, i) => ({ part: i + 1, type: part.type, charset: part.charset, name: part.name ?? `part-${i + 1}`, content_id: part.content_id ?? "", size: part.octets.length })),
    ...(text && { text }), ...(html && { html: { part: html, cut: Boolean(one.cut), address: "/captured/" + Buffer.from(one.id).toString("hex") } }),
  };
}

// Answers as relayd's, a hundred rows at a time.
function captured_by(messages) {
  const json = (value) => ({ headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });
  return (where, { query = "", upstream = "", after = "", limit = "100" }) => {
    if (where === "/api/captured") {
      const found = messages.filter((one) => one.subject.includes(query) && (!upstream || one.upstream === upstream));
      const from = after ? found.findIndex((one) => `${one.upstream}/${one.id}` === after) + 1 : 0;
      const rows = found.slice(from, from + Number(limit)).map((one) => ({ upstream: one.upstream, id: one.id, time: kept, sender: one.sender, recipients: one.recipients.slice(0, 5), recipients_count: one.recipients.length, from: one.from, subject: one.subject, size: 18211 }));
      const more = from + rows.length < found.length, last = rows.at(-1);
      return { headers: { "Content-Type": "application/x-ndjson" }, body: [...rows, { end: true, count: rows.length, more, ...(more && { after: `${last.upstream}/${last.id}` }) }].map((row) => JSON.stringify(row) + "\n").join("") };
    }
    const [, , ...names] = where.replace(/^\/captured\//, "/api/captured/").split("/").map(decodeURIComponent);
    const one = messages.find((each) => (names.length === 2 ? Buffer.from(each.id).toString("hex") === names[1] : each.upstream === names[1] && each.id === names[2]));
    if (!one) return { status: 404, ...json({ error: "there is no such message" }) };
    if (names.length === 2) {
      const html = one.parts.find((part) => part.type === "text/html");
      return { headers: { "Content-Type": `text/html; charset=${html.charset}`, "Content-Security-Policy": POLICY, "X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "no-referrer" }, body: html.octets };
    }
    if (names[3] === "source") return { headers: { "Content-Type": "application/octet-stream" }, body: `Subject: ${one.subject}\r\n\r\nsource\r\n` };
    if (names[3] === "part") return { headers: { "Content-Type": "application/octet-stream" }, body: one.parts[names[4] - 1].octets };
    return json(described(one));
  };
}

function added_to(answers, messages) {
  return { ...answers, status: { ...answers.status, sandboxes: ["kept"] }, captured: captured_by(messages), clear: () => ({ removed: messages.splice(0).length, errors: [] }) };
}

module.exports = { POLICY, added_to, message, order };
