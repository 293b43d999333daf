// The page as such: it loads, it is live, it says when it is not, and keys are enough.
"use strict";

const assert = require("node:assert/strict");
const { after, afterEach, before, beforeEach, test } = require("node:test");
const answers = require("./answers.js");
const { PATIENCE, launch, open, press, says, settled, text } = require("./browser.js");
const { StandIn, TOKEN } = require("./stand_in.js");

const VIEWS = ["now", "lanes", "mail", "captured", "accounts", "explain"];
let browser, server;

before(async () => { browser = await launch(); });
after(() => browser.close());
beforeEach(async () => { server = await new StandIn(answers.calm()).listen(); });
afterEach(() => server.close());

test("the whole page is one document of 120 KiB at most", async () => {
  const { html } = server.document;
  assert.ok(Buffer.byteLength(html) <= 120 * 1024, `${Buffer.byteLength(html)} octets`);
  assert.doesNotMatch(html, /<(script|link rel="stylesheet"|img|iframe)[^>]* (src|href)=|innerHTML|\beval\(| style=| on\w+="/);
});

test("each view loads without an error, an outside request or a violation", async () => {
  for (const view of VIEWS) {
    const page = await open(browser, server.url, "#" + view);
    assert.equal(await page.$eval(`#tab-${view}`, (tab) => tab.getAttribute("aria-selected")), "true");
    assert.equal((await page.$$("[role=tabpanel]:not([hidden])")).length, 1);
    assert.ok((await text(page, `#panel-${view}`)).length > 40);
    assert.deepEqual(page.problems, []);
    await page.end();
  }
  const paths = new Set(server.asked.map((one) => one.path));
  assert.ok([...paths].every((path) => path === "/" || path === "/livez" || path.startsWith("/api/")), [...paths].join());
});

test("a calm relay needs one line, and trouble comes first", async () => {
  const page = await open(browser, server.url);
  assert.match(await text(page, "#trouble"), /Nothing needs you\. 14 messages wait; the oldest is 47 min old\./);
  const [stream] = server.streams;
  assert.ok(stream);
  const { trouble } = answers.troubled().status;
  server.event("change", { status: { queue: { waiting: 8134 }, trouble: trouble.slice(0, 1) } });
  await says(page, "#trouble", "mailgun as postmaster@shop.example fails: 535 5.7.8 Authentication failed");
  assert.match(await text(page, "#trouble"), /critical[^]*→? ?Correct username[^]*since [\d: -]+UTC, for 85 min · its lanes/);
  await says(page, "#figures", "8,134");
  await says(page, "#said", "1 thing needs you.");
  assert.equal(await page.title(), "(1) relayd");
  server.event("change", { status: { trouble: [] } });
  await says(page, "#trouble", "Nothing needs you.");
  await says(page, "#said", "Nothing needs you any more.");
  assert.deepEqual(page.problems, []);
  await page.end();
});

test("the drawings grow by a point, name their numbers, and have a table", async () => {
  const page = await open(browser, server.url);
  const drawings = () => page.$$eval("svg.chart", (all) => all.map((one) => ({
    name: one.getAttribute("aria-labelledby").split(" ").map((id) => document.getElementById(id).textContent).join(": "),
    path: one.querySelector(".line")?.getAttribute("d"),
  })));
  const first = await drawings();
  assert.match(first[0].name, /^Throughput, last hour: [\d,]+ delivered, [\d,]+ accepted/);
  server.event("point", { accepted: 90, delivered: 80, deferred: 3, failed: 1, waiting: 700, seconds: 2.5 });
  await page.waitForFunction((old) => document.querySelector("svg.chart .line").getAttribute("d") !== old, {}, first[0].path);
  assert.match((await drawings())[2].name, /700 at the end/);
  await page.$eval("svg.chart", (drawing) => drawing.focus());
  await page.keyboard.press("ArrowLeft");
  await says(page, "#charts .reading", "UTC: delivered 320, accepted 360, deferred 12, failed 4");
  await page.click("#charts summary");
  assert.equal((await page.$$("#charts figure:first-child tbody tr")).length, 12);
  await press(page, ".choice span", "Last day");
  await page.waitForFunction(() => document.querySelector("svg.chart title").textContent === "Throughput, last day");
  assert.deepEqual(page.problems, []);
  await page.end();
});

test("a lost connection is told with its time, and so is its return", async () => {
  const page = await open(browser, server.url);
  const { port } = server;
  await server.close();
  await says(page, "#lost", "The connection to relayd is lost since");
  assert.match(await text(page, "#lost"), /since [\d: -]+ UTC \(\d+ s\): [^]*\. What you see is from then\./);
  assert.equal(await text(page, "#link"), "Connection lost");
  server = await new StandIn(answers.troubled()).listen(port);
  await page.waitForSelector("#lost", { hidden: true });
  await says(page, "#trouble", "mailgun as postmaster@shop.example fails");
  assert.equal(await text(page, "#link"), "Live");
  await page.end();
});

test("where other machines may ask, the token is asked for before anything is told", async () => {
  server.guarded = true;
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(server.url + "#lanes");
  await says(page, "#token", "relayd shows itself to those who have its token.");
  await page.keyboard.press("Escape");
  await says(page, "#lost", "relayd shows itself to those who have its token.");
  await press(page, "#lost button", "Give the token");
  await page.waitForSelector("#token[open]");
  await page.type("#token-value", TOKEN + "\n");
  await says(page, "#lanes-list", "inhouse");
  assert.equal(await text(page, "#link"), "Live");
  await page.close();
});

test("a start that reads the queue is told", async () => {
  server.answers.status = { version: "0.1.0", time: server.answers.status.time, uptime: 3, starting: { messages: 4000, octets: 5e6, total: 2e7 } };
  server.answers.lanes = {};
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(server.url);
  await says(page, "#trouble", "Starting: the queue is being read. 4,000 messages and 5 MB of 20 MB so far.");
  server.answers = answers.calm();
  await says(page, "#trouble", "Nothing needs you.");
  await page.close();
});

test("keys alone reach every view, and the focus stays where it is while things change", async () => {
  const page = await open(browser, server.url);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "skip");
  await page.keyboard.press("Tab");
  for (const view of ["lanes", "mail", "accounts", "explain", "now"]) {
    await page.keyboard.press("ArrowRight");
    await page.waitForSelector(`#panel-${view}:not([hidden])`);
    assert.equal(await page.evaluate(() => document.activeElement.id), `tab-${view}`);
  }
  await page.goto(server.url + "#lanes");
  await page.waitForSelector("#lanes-list button");
  await page.evaluate(() => [...document.querySelectorAll("#lanes-list button")].at(-1).focus());
  const paused = answers.troubled().lanes["mailgun postmaster@shop.example"];
  server.event("change", { lanes: { "mailgun postmaster@shop.example": paused } });
  await says(page, "#lanes-list", "Authentication failed");
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^Pause office as bills/);
  await page.end();
});

test("lanes are filtered, and paused with the token after a question", async () => {
  server.answers = answers.troubled();
  const page = await open(browser, server.url, "#lanes");
  const names = () => page.$$eval("#lanes-list tbody th", (all) => all.map((one) => one.innerText.split("\n")[0]));
  assert.deepEqual(await names(), ["newsletter", "mailgun", "ses", "office", "office", "inhouse"]);
  await page.click("input[name=trouble]");
  assert.deepEqual(await names(), ["newsletter", "mailgun", "ses"]);
  await page.type("#lanes-filter input[name=upstream]", "mail");
  assert.deepEqual(await names(), ["mailgun"]);
  await press(page, "#lanes-list button", "Pause");
  await says(page, "#ask", "Nothing more is sent by mailgun as postmaster@shop.example until somebody resumes it.");
  await page.click("#ask-yes");
  await page.waitForSelector("#token[open]");
  await page.type("#token-value", TOKEN);
  await page.keyboard.press("Enter");
  await says(page, "#said", "mailgun as postmaster@shop.example: paused.");
  assert.deepEqual(server.asked.find((one) => one.method === "POST" && one.token),
    { method: "POST", path: "/api/lanes/pause", query: {}, body: { upstream: "mailgun", account: "postmaster@shop.example" }, token: TOKEN });
  assert.deepEqual(page.problems, []);
  await page.end();
});

test("a reload says whether it was taken", async () => {
  server.answers.reload = () => ({ taken: false, errors: ["relayd.yaml:3: unknown key 'lisen'"], warnings: [], left: [] });
  const page = await open(browser, server.url);
  await press(page, "#facts button", "Reload");
  await page.click("#ask-yes");
  await page.waitForSelector("#token[open]");
  await page.type("#token-value", TOKEN + "\n");
  await says(page, "#ask", "The configuration was not taken");
  await says(page, "#ask", "relayd.yaml:3: unknown key 'lisen'");
  await page.end();
});

test("explain is a form", async () => {
  const page = await open(browser, server.url, "#explain");
  await page.type("#explain-form input[name=sender]", "app@example.com");
  await page.keyboard.press("Enter");
  await says(page, "#explained", "app@example.com leaves by:\n  1. mailgun as postmaster@shop.example");
  assert.equal(server.asked.at(-1).query.sender, "app@example.com");
  await page.end();
});

test("accounts say what fails and when secrets end", async () => {
  server.answers = answers.troubled();
  const page = await open(browser, server.url, "#accounts");
  const rows = await page.$$eval("#accounts-list tbody tr", (all) => all.map((one) => one.innerText.replace(/\s+/g, " ")));
  assert.match(rows[0], /postmaster@shop.example at mailgun fails since .* auth: “535 5.7.8 Authentication failed” Correct username/);
  assert.match(rows[1], /AKIAEXAMPLE at ses perhaps fails/);
  assert.match(rows[4], /relay@example.com at office client secret [56] days/);
  await settled(page);
  assert.deepEqual(page.problems, []);
  await page.end();
});

test("the answer to one question is none to the next", async () => {
  const page = await open(browser, server.url);
  await page.evaluate(() => {
    window.given = [];
    confirmed("Delete it?", "Delete", el("p", {}, "one")).then((form) => window.given.push(["Delete", Boolean(form)]));
    confirmed("It was taken", "Close", el("p", {}, "two")).then((form) => window.given.push(["Close", Boolean(form)]));
  });
  assert.equal(await text(page, "#ask-title"), "Delete it?");
  await page.keyboard.press("Escape");
  await says(page, "#ask-title", "It was taken");
  assert.deepEqual(await page.evaluate(() => window.given), [["Delete", false]]);
  await page.click("#ask-yes");
  await page.waitForFunction(() => window.given.length === 2);
  assert.deepEqual(await page.evaluate(() => window.given[1]), ["Close", true]);
  await page.end();
});

test("what went in the last hour falls with each step", async () => {
  const page = await open(browser, server.url);
  const shown = () => text(page, "#figures");
  const before = await shown();
  for (let i = 0; i < 240; ++i) server.event("point", { end: new Date().toISOString(), accepted: 0, delivered: 0, deferred: 0, failed: 0, waiting: 0, seconds: null });
  await page.waitForFunction((old) => document.querySelector("#figures").innerText !== old, {}, before);
  assert.match(await shown(), /\b0\b/);
  await page.end();
});
