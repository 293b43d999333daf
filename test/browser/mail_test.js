// The view of mail: it is found, its story is told, something is done with it, and 100,000 of it stay smooth.
"use strict";

const assert = require("node:assert/strict");
const { after, afterEach, before, beforeEach, test } = require("node:test");
const answers = require("./answers.js");
const { launch, open, press, says, settled, text } = require("./browser.js");
const { StandIn, TOKEN } = require("./stand_in.js");

let browser, server;

before(async () => { browser = await launch(); });
after(() => browser.close());
beforeEach(async () => { server = await new StandIn(answers.calm()).listen(); });
afterEach(() => server.close());

// With a token, right or wrong.
const changes = () => server.asked.filter((one) => one.method === "POST" && one.token);
const ids = (page) => page.$$eval("#queue tbody th", (all) => all.map((one) => one.innerText));

async function search(page, what) {
  await page.$eval("#mail-filter input[name=what]", (field) => { field.value = ""; });
  await page.type("#mail-filter input[name=what]", what + "\n");
  await settled(page);
}

async function give_token(page, token) {
  await page.waitForSelector("#token[open]");
  await page.type("#token-value", token + "\n");
}

test("mail is found by address, state, Message-ID and id", async () => {
  const page = await open(browser, server.url, "#mail");
  assert.equal((await ids(page)).length, 14);
  await search(page, "app3@example.com");
  assert.deepEqual(await ids(page), ["1j0m0000003", "1j0m000000a"]);
  await search(page, "<text@client.example>");
  assert.deepEqual(await ids(page), []);
  assert.match(await text(page, "#gone tbody"), /1j0lz000000[^]*delivered[^]*ann@example.com[^]*250 2.0.0 Ok: queued as Q42/);
  await search(page, "");
  await page.select("#mail-filter select[name=state]", "held");
  await says(page, "#queue", "No message in the queue is like that.");
  assert.equal(await page.evaluate(() => location.hash), "#mail?state=held");
  await search(page, "1j0m0000003");
  await says(page, "#message", "Your order 4217 – thank you!");
  assert.equal(await page.evaluate(() => location.hash), "#mail/1j0m0000003");
  await page.goBack();
  await page.waitForSelector("#mail-search:not([hidden])");
  assert.deepEqual(page.problems, []);
  await page.end();
});

test("a message's whole story is told", async () => {
  const page = await open(browser, server.url, "#mail/1j0m0000001");
  const story = (await text(page, "#message")).replace(/\s+/g, " ");
  for (const part of ["from orders@example.com", "juergen@customer.example pending", "instead of customer-4217@example.com", "Message-ID <20261123.4217@shop.example>",
    "127.0.0.1 as shop, listener apps, TLSv1.3", "size 18.2 kB", "rule “@example.com” at relayd.yaml:14: mailgun as postmaster@shop.example, then office as relay@example.com", "attempt 1 by mailgun at smtp.eu.mailgun.org:587 as postmaster@shop.example, rule “@example.com”, 612 ms after it came",
    "535 5.7.8 Authentication failed (auth at auth)", "451 4.3.2 Try again in 20 minutes (temp at final_dot)", "Subject: =?utf-8?B?WW91ciBvcmRlciA0MjE3IOKAkyB0aGFuayB5b3Uh?="])
    assert.ok(story.includes(part), `${part}\nis not in\n${story}`);
  const saved = page.waitForResponse((answer) => answer.url().endsWith("/api/queue/1j0m0000001/message"));
  await press(page, "#message button", "Save the message");
  assert.equal((await saved).status(), 200);
  assert.deepEqual(page.problems, []);
  await page.end();
});

test("mail that has left is told from the history", async () => {
  const page = await open(browser, server.url, "#mail/1j0lz000000");
  await says(page, "#message", "it has left the queue");
  await says(page, "#message", "the provider's id: Q42");
  assert.equal((await page.$$("#message button")).length, 0);
  await page.end();
});

test("what is chosen is done after a question, and its outcome is told", async () => {
  server.answers.act = (path, body) => body.ids.map((id, i) => i === 1 ? { id, error: "nobody is left to whom it would be sent" } : { id, done: "hold" });
  const page = await open(browser, server.url, "#mail");
  for (const id of ["1j0m0000002", "1j0m0000005", "1j0m0000007"]) await page.click(`input[data-id="${id}"]`);
  await press(page, "#queue button", "Hold");
  await says(page, "#ask", "Hold: 3 messages?");
  await press(page, "#ask button", "Cancel");
  assert.equal(changes().length, 0);
  await press(page, "#queue button", "Hold");
  await page.click("#ask-yes");
  await give_token(page, TOKEN);
  await says(page, "#queue .outcome", "2 messages held, 1 refused.");
  await says(page, "#queue .outcome", "1j0m0000005: nobody is left to whom it would be sent");
  assert.deepEqual(changes().map(({ path, body }) => ({ path, body })), [{ path: "/api/queue/hold", body: { ids: ["1j0m0000002", "1j0m0000005", "1j0m0000007"] } }]);
  assert.equal((await page.$$("#queue input:checked")).length, 0);
  await page.click(`input[data-id="1j0m0000002"]`);
  await press(page, "#queue button", "Retry");
  await page.click("#ask-yes"); // the token is known by now
  await says(page, "#queue .outcome", "1 message to be tried again.");
  assert.deepEqual(page.problems, []);
  await page.end();
});

test("a wrong token is told and asked for again, and none is kept", async () => {
  const page = await open(browser, server.url, "#mail/1j0m0000001");
  await press(page, "#message button", "Retry");
  await page.click("#ask-yes");
  await give_token(page, "wrong");
  await says(page, "#token", "relayd does not take this token.");
  await page.waitForSelector("#token[open]");
  assert.equal(await page.$eval("#token-value", (field) => field.value), "");
  await give_token(page, "ungültig");
  await says(page, "#token", "relayd does not take this token.");
  await give_token(page, TOKEN);
  await says(page, "#message .outcome", "1 message to be tried again.");
  assert.deepEqual(changes().map((one) => one.path), ["/api/queue/retry", "/api/queue/retry"]);
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, document.documentElement.outerHTML]));
  assert.ok(!kept.includes(TOKEN));
  assert.deepEqual(page.problems, []);
  await page.reload();
  await page.waitForSelector("#message button");
  await press(page, "#message button", "Retry");
  await page.click("#ask-yes");
  await page.waitForSelector("#token[open]");
  await page.keyboard.press("Escape");
  assert.equal(changes().length, 2);
  await page.end();
});

test("a window without a token is told to be one for reading", async () => {
  server.read_only = true;
  const page = await open(browser, server.url, "#mail/1j0m0000001");
  await press(page, "#message button", "Hold");
  await page.click("#ask-yes");
  await says(page, "#said", "nothing can be changed here: the configuration has no 'token' in 'http'");
  assert.equal((await page.$$("#token[open]")).length, 0);
  await page.end();
});

test("deleting says that it is for good, and can tell the senders", async () => {
  const page = await open(browser, server.url, "#mail/1j0m0000001");
  await press(page, "#message button", "Delete…");
  await says(page, "#ask", "It is deleted for good, and nobody is told.");
  assert.equal(await page.evaluate(() => document.activeElement.innerText), "Cancel");
  await page.click("#ask input[name=bounce]");
  await page.click("#ask-yes");
  await give_token(page, TOKEN);
  await says(page, "#queue .outcome", "1 message deleted.");
  assert.deepEqual(changes()[0].body, { ids: ["1j0m0000001"], bounce: true });
  await page.end();
});

test("a doubt is explained, and ended by a person who has looked", async () => {
  server.answers = answers.troubled();
  const page = await open(browser, server.url, "#mail?state=held");
  await says(page, "#queue", "1 in doubt at office");
  await page.click("#queue tbody a");
  await says(page, "#message", "office may already have taken it.");
  await press(page, "#message button", "Not taken…");
  await says(page, "#ask", "If it has, its recipients get it twice.");
  await page.click("#ask-yes");
  await give_token(page, TOKEN);
  await says(page, "#message .outcome", "1 message free to go anywhere.");
  assert.deepEqual(changes()[0], { method: "POST", path: "/api/queue/retry", query: {}, body: { ids: ["1j0m0000001"], not_taken: true }, token: TOKEN });
  await page.end();
});

// Runs work in the page, and gives how long its longest task was, in milliseconds.
async function longest_task(page, work) {
  await page.evaluate(() => {
    window.longest = 0;
    window.watcher = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    });
    window.watcher.observe({ entryTypes: ["longtask"] });
  });
  await work();
  return page.evaluate(() => window.longest);
}

test("100,000 that wait stay smooth, and can be acted on at once", async () => {
  server.answers = answers.large();
  const page = await open(browser, server.url, "#mail");
  const longest = await longest_task(page, async () => {
    for (let at = 1; at <= 5; at++) {
      assert.equal((await ids(page)).length, 100);
      await press(page, "#queue button", "Next");
      await says(page, "#queue .pages", `${at * 100 + 1} to ${at * 100 + 100}, the oldest first`);
    }
  });
  const nodes = await page.evaluate(() => document.querySelectorAll("*").length);
  assert.ok(nodes < 4000, `${nodes} elements`);
  assert.ok(longest < 500, `a task of ${longest} ms`);
  assert.ok(server.asked.filter((one) => one.path === "/api/queue").every((one) => one.query.limit === "100"));
  await press(page, "#queue button", "Previous");
  await says(page, "#queue .pages", "401 to 500");
  await page.click("#choose-page");
  await says(page, "#queue .picked", "100 messages chosen.");
  await page.select("#mail-filter select[name=state]", "waiting");
  await settled(page);
  await page.click("#choose-page");
  await press(page, "#queue button", "Choose all messages with state waiting instead");
  await press(page, "#queue button", "Retry");
  await says(page, "#ask", "Retry: all messages with state waiting?");
  await page.click("#ask-yes");
  await give_token(page, TOKEN);
  await says(page, "#queue .outcome", "100,000 messages to be tried again.");
  assert.deepEqual(changes()[0].body, { state: "waiting" });
  assert.deepEqual(page.problems, []);
  await page.end();
});

test("of 10,000 lanes the most troubled are told, and the others are asked for", async () => {
  server.answers = answers.large();
  const page = await open(browser, server.url, "#lanes");
  await says(page, "#lanes-count", "100 of 10,000 lanes, trouble first");
  await page.type("#lanes-filter input[name=account]", "user7777@example.com");
  await says(page, "#lanes-list", "user7777@example.com");
  await says(page, "#lanes-count", "1 lane");
  const nodes = await page.evaluate(() => document.querySelectorAll("*").length);
  assert.ok(nodes < 6000, `${nodes} elements`);
  assert.deepEqual(page.problems, []);
  await page.end();
});

test("of very many lanes those that were asked for stay as they are now", async () => {
  server.answers = answers.large();
  let found = [];
  server.answers.some_lanes = () => ({ lanes: found, total: found.length });
  const page = await open(browser, server.url, "#lanes");
  await page.type("#lanes-filter input[name=account]", "user77@example.com");
  await says(page, "#lanes-list", "user77@example.com"); // one that comes by itself
  found = [answers.lane("second", "user77@example.com", { state: "open" })];
  server.event("point", { end: new Date().toISOString(), accepted: 1, delivered: 1, deferred: 0, failed: 0, waiting: 0, seconds: 1 });
  await says(page, "#lanes-list", "second");
  await says(page, "#lanes-count", "2 lanes");
  assert.deepEqual(page.problems, []);
  await page.end();
});
