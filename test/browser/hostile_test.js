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

// Every text of others that the API has is this one.
function answers_of(text, header = "") {
  const { lane, row, message } = answers;
  const calm = answers.calm(), time = calm.status.time;
  const id = "1j0m0000001";
  const told = { time, from: text, to: text, sent_from: text, sent_to: text, rule: text, upstream: text, host: text, account: text, tls: text, stage: text, code: 550, response: text, provider_id: text, class: text, attempt: 1, delay: "0.1", reason: text, report: text };
  const events = [{ time, event: "accepted", from: text, to: [text], instead_of: [text], message_id: text, size: 1, client: text, account: text, listener: text, tls: text },
    { ...told, event: "failed" }, { ...told, event: text }];
  const subject = header || `Subject: ${word_of(text)}\r\nFrom: "${text}" <a@example.com>\r\nX-Name: ${text}\r\n`;
  return {
    ...calm,
    status: { ...calm.status, version: text, process: { user: text, uid: 1, confined: true, lacks: text }, trouble: [{ severity: text, what: text, since: time, advice: text, upstream: text, account: text }], unused_upstreams: [text],
      configuration: { loaded: time, failed: { time, reason: text, errors: 1 } },
      accounts: [{ upstream: text, account: text, state: "failing", since: time, looked_at: time, class: text, reason: text, advice: text }],
      credentials: [{ kind: text, upstream: text, account: text, ends_at: time, ends_in: 0 }],
      webhooks: [{ url: text, waiting_octets: 0, sent: 0, dropped: 0, disabled: false, reason: text, failing_since: time, next_try: time }] },
    lanes: { [`${text} ${text}`]: lane(text, text, { state: "paused", closed_until: time, class: text, reason: text, advice: text, since: time, rates: [text], last_reply: text, last_reply_at: time,
      oauth2: text, senders: [text], learnt: { limits: [{ key: text, value: text, holds_until: time }], offer: [text] }, quotas: [{ limit: 10, left: 1, counts: text, period: text, resets_at: time }] }),
    [`${text} 2`]: lane(text, "2", { state: text }) },
    queue: () => ({ rows: [row(1, { from: text, to: [text], reason: text, in_doubt: true, doubted: text }), row(2, { state: text })] }),
    message: () => ({ ...message(id), from: text, sender: text, client: text, account: text, listener: text, upstreams: [text], recipients: [{ to: text, state: text }], header: subject, in_doubt: true, doubted: text }),
    history: () => ({ rows: [{ id, state: text, recipients: [{ to: text, state: text }], events }] }),
    explain: () => ({ text, exit: 0 }),
  };
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
  for (const hash of ["#now", "#lanes", "#mail", "#mail/1j0m0000001", "#accounts", "#explain"]) {
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
  for (const texts of [MARKUP.slice(0, 11), MARKUP.slice(11)]) {
    const page = await open(browser, server.url);
    for (const text of texts) {
      server.answers = answers_of(text);
      const { status, lanes } = server.answers;
      server.event("whole", { status, lanes, lanes_total: 2 });
      await page.evaluate(() => { location.hash = "#now"; });
      await says(page, "#facts", text);
      await each_view(page, async (hash) => {
        const shown = await survives(page, `${text} in ${hash}`);
        assert.ok(shown.includes(text), `${text} is not seen in ${hash}`);
      });
    }
    await page.end();
  }
});

test("marks of direction, controls and what has no width are seen by their numbers", async () => {
  const page = await open(browser, server.url);
  for (const [text, number] of UNSEEN) {
    server.answers = answers_of(text);
    const { status, lanes } = server.answers;
    server.event("whole", { status, lanes, lanes_total: 2 });
    await page.evaluate(() => { location.hash = "#now"; });
    await says(page, "#facts", number);
    await each_view(page, async (hash) => {
      const shown = await survives(page, `${number} in ${hash}`);
      // The text of explain and a header have lines.
      const is_line = hash === "#explain" && number === "U+000D U+000A";
      assert.ok(is_line || shown.includes(number), `${number} is not seen in ${hash}`);
      assert.doesNotMatch(shown, /[\u202a-\u202e\u2066-\u2069\u200b\0\x1b\u2028]/);
    });
  }
  await page.end();
});

test("what is huge is cut, and breaks no layout on a phone", async () => {
  const huge = "W".repeat(1 << 20), marks = "\u202e\u200bx".repeat(100_000);
  const header = `Subject: ${huge.slice(0, 60_000)}\r\nX: ${marks.slice(0, 60_000)}\r\n`;
  for (const text of [huge, marks]) {
    server.answers = answers_of(text, header);
    for (const width of [360, 1280]) {
      const page = await open(browser, server.url, "", { width });
      await each_view(page, async (hash) => {
        const shown = await survives(page, `huge in ${hash} at ${width}`);
        assert.match(shown, /more characters|…/);
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
