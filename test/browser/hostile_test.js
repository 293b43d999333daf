// What mail and servers say is shown as text, whatever it is: nothing runs, nothing is asked for, the layout stands, and
// an operator sees what it was.
"use strict";

const assert = require("node:assert/strict");
const { after, afterEach, before, beforeEach, test } = require("node:test");
const answers = require("./answers.js");
const { launch, open, says, settled } = require("./browser.js");
const { StandIn, TOKEN } = require("./stand_in.js");

const MARKUP = [
  "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'-alert(1)-'", "</title><script>alert(1)</script>", "</script><script>alert(1)</script>",
  "<svg/onload=alert(1)>", "{{7*7}}", "${7}", "javascript:alert(1)", "&lt;b&gt; &amp;", "<iframe src=https://outside.example/>", "<a href=//outside.example target=_top>x</a>",
  "<base href=//outside.example/>", "<meta http-equiv=refresh content=0;url=//outside.example>", "<style>*{display:none}</style>", "<form action=//outside.example>", "`${alert(1)}`",
  "__proto__", "constructor", "../../x", "a.html\";filename=con; x=\"",
];
const UNSEEN = [
  ["\u202egnp.exe", "U+202E"], ["a\u200bb\u200cc\u200dd\u2060e\ufefff", "U+200B"], ["\u2066x\u2069\u2067y\u2069", "U+2066"], ["nul\0here", "U+0000"], ["\x1b[2J\x1b]0;title\x07", "U+001B"],
  ["lone \ud83d end", "U+D83D"], ["a\r\nSet-Cookie: x", "U+000D U+000A"], ["\u2028line\u2029", "U+2028"], ["e\u0301\u0302\u0303\u0304\u0305\u0306", "U+0304"], ["\u{e0041}\u{e0042}", "U+E0041"], ["\x85\x9b", "U+0085"],
  ["\u3164\uffa0", "U+3164"],
];
const CORPUS = [...MARKUP, ...UNSEEN.map(([text]) => text)];

let browser, server;
before(async () => { browser = await launch(); });
after(() => browser.close());
beforeEach(async () => { server = await new StandIn(answers.calm()).listen(); });
afterEach(() => server.close());

function word_of(text) {
  return `=?utf-8?B?${Buffer.from(text).toString("base64")}?=`;
}

// Every text of others that the API has is one of these, or all of them.
function answers_of(texts, header = "") {
  const { lane, row, message } = answers;
  const calm = answers.calm(), time = calm.status.time;
  const all = texts.join(" ");
  const told = (text) => ({ time, from: text, to: text, sent_from: text, sent_to: text, rule: text, upstream: text, host: text, account: text, tls: text, stage: text, code: 550, response: text,
    provider_id: text, class: text, attempt: 1, delay: "0.1", reason: text, report: text });
  const arrival = { time, event: "accepted", from: all, to: texts, instead_of: texts, message_id: all, size: 1, client: all, account: all, listener: all, tls: all };
  const events = [arrival, ...texts.flatMap((text) => [{ ...told(text), event: "failed" }, { ...told(text), event: text }])];
  const fields = texts.map((text) => `X-Name: "${text}" ${word_of(text)} <a@example.com>\r\n`).join("");
  const lanes = texts.flatMap((text) => [
    lane(text, text, { state: "paused", closed_until: time, class: text, reason: text, advice: text, since: time, rates: [text], last_reply: text, last_reply_at: time, oauth2: text, senders: [text], sender_rules: 1,
      learnt: { limits: [{ key: text, value: text, holds_until: time }], offer: [text] }, quotas: [{ limit: 10, left: 1, counts: text, period: text, resets_at: time }] }),
    lane(text, "2", { state: text })]);
  return {
    ...calm,
    status: { ...calm.status, version: all, process: { user: all, uid: 1, confined: true, lacks: all }, unused_upstreams: texts, configuration: { loaded: time, failed: { time, reason: all, errors: 1 } },
      trouble: texts.map((text) => ({ severity: text, what: text, since: time, advice: text, upstream: text, account: text })),
      accounts: texts.map((text) => ({ upstream: text, account: text, state: text, since: time, looked_at: time, class: text, reason: text, advice: text })),
      credentials: texts.map((text) => ({ kind: text, upstream: text, account: text, ends_at: time, ends_in: 0 })),
      webhooks: texts.map((text) => ({ url: text, waiting_octets: 0, sent: 0, dropped: 0, disabled: false, reason: text, failing_since: time, next_try: time })) },
    lanes: Object.fromEntries(lanes.map((one) => [`${one.upstream} ${one.account}`, one])),
    queue: () => ({ rows: texts.map((text, i) => row(i, { from: text, to: text, to_count: 3, reason: text, in_doubt: true, doubted: text, state: i % 2 ? "waiting" : text })) }),
    message: (id) => ({ ...message(id), from: all, sender: all, client: all, account: all, listener: all, upstreams: texts, routes: texts.map((text) => ({ rule: text, where: text, upstreams: [{ upstream: text, account: text }] })), recipients: texts.map((text) => ({ to: text, state: text })),
      header: header || `Subject: ${word_of(all)}\r\n${fields}`, in_doubt: true, doubted: all }),
    history: () => ({ rows: texts.map((text, i) => ({ id: `1j0m000000${i.toString(32)}`, state: text, recipients: [{ to: text, state: text }], events })) }),
    explain: () => ({ text: texts.join("\n"), exit: 0 }),
    captured: captured_of(texts, header || `Subject: ${word_of(all)}\r\n${fields}`),
  };
}

// The list, and a message without HTML.
function captured_of(texts, header) {
  const all = texts.join(" "), time = new Date().toISOString();
  const row = (text, i) => ({ upstream: text, id: `1j0m000000${i.toString(32)}`, time, sender: text, recipients: texts, recipients_count: texts.length, from: text, subject: text, size: 1 });
  const message = { id: all, upstream: all, time, size: 1, header, envelope: { sender: all, recipients: texts, client: all, account: all, username: all }, subject: all, from: all, to: all, cc: all, reply_to: all, date: all,
    parts: texts.map((text, i) => ({ part: i + 1, type: text, charset: text, name: text, content_id: text, size: 1 })) };
  const lines = [...texts.map(row), ...texts.map((error) => ({ error })), { end: true, more: false }].map((one) => JSON.stringify(one) + "\n").join("");
  return (where) => ({ body: where === "/api/captured" ? lines : JSON.stringify(message) });
}

async function survives(page, what) {
  assert.deepEqual(page.problems, [], what);
  const found = await page.evaluate(() => ({
    // Elements that the page does not make, and more scripts and styles than it has.
    strange: [...document.querySelectorAll("img, iframe, object, embed, base, meta[http-equiv], form[action], a[target], body script ~ :not(script)")].length,
    links: [...document.links].map((link) => new URL(link.href)).filter((url) => url.origin !== location.origin).length,
    wide: document.documentElement.scrollWidth - innerWidth,
    text: document.querySelector("main").innerText,
  }));
  assert.equal(found.strange, 0, what);
  assert.equal(found.links, 0, what);
  assert.ok(found.wide <= 0, `${what}: ${found.wide} px too wide`);
  return found.text;
}

async function each_view(page, visit) {
  for (const hash of ["#now", "#lanes", "#mail", "#mail/1j0m0000001", "#captured", "#captured/x%2F1j0m1q185e7", "#accounts", "#explain"]) {
    await page.evaluate((to) => { location.hash = to; }, hash);
    if (hash === "#explain") {
      await page.type("#explain-form input[name=sender]", "x\n");
      await page.waitForSelector("#explained pre");
    }
    await settled(page);
    await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
    await visit(hash);
  }
}

test("no markup in any field has an effect, and all of it is read as it came", async () => {
  server.answers = answers_of(MARKUP);
  const page = await open(browser, server.url);
  await each_view(page, async (hash) => {
    const shown = await survives(page, hash);
    for (const text of MARKUP) assert.ok(shown.includes(text), `${text} is not seen in ${hash}`);
  });
  await page.end();
});

test("marks of direction, controls and what has no width are seen by their numbers", async () => {
  server.answers = answers_of(UNSEEN.map(([text]) => text));
  const page = await open(browser, server.url);
  await each_view(page, async (hash) => {
    const shown = await survives(page, hash);
    // What explain says has lines.
    for (const [, number] of UNSEEN.filter(([text]) => hash !== "#explain" || !text.includes("\n")))
      assert.ok(shown.includes(number), `${number} is not seen in ${hash}`);
    assert.doesNotMatch(shown, /[\u202a-\u202e\u2066-\u2069\u200b\0\x1b\u2028]/);
  });
  await page.end();
});

test("what is huge is cut, and breaks no layout on a phone", async () => {
  const huge = "W".repeat(1 << 20), marks = "\u202e\u200bx".repeat(300_000);
  for (const text of [huge, marks]) {
    const part = text.slice(0, 60_000);
    server.answers = answers_of([text.slice(0, 10_000)], `Subject: ${part}\r\nX: ${part}\r\n`);
    server.answers.status.unused_upstreams = [text];
    server.answers.explain = () => ({ text, exit: 0 });
    for (const width of [360, 1280]) {
      const page = await open(browser, server.url, "", { width });
      await each_view(page, async (hash) => {
        const shown = await survives(page, `huge in ${hash} at ${width}`);
        assert.match(shown, /[\d,]+ more characters/);
        assert.ok(shown.length < 400_000, `${shown.length} letters`);
      });
      const nodes = await page.evaluate(() => document.querySelectorAll("*").length);
      assert.ok(nodes < 60_000, `${nodes} elements`);
      await page.end();
    }
    }
});

test("errors that relayd answers with are shown as text", async () => {
  const page = await open(browser, server.url, "#mail");
  for (const text of CORPUS) {
    server.answers.act = () => [{ error: text }, { id: text, error: text }];
    server.answers.reload = () => ({ taken: false, errors: [text], warnings: [text], left: [text] });
    await page.evaluate((it) => keep_token(it), TOKEN);
    await page.evaluate(() => document.querySelector("input[data-id]").click());
    await page.evaluate(() => [...document.querySelectorAll("#queue .picked button")].find((one) => one.innerText === "Hold").click());
    await page.click("#ask-yes");
    await says(page, "#queue .outcome", "2 refused");
    await survives(page, text);
    await page.evaluate(() => acts.seen());
  }
  await page.end();
});
