// What sandboxes have kept: it is found, shown, saved and cleared. That no HTML of a message gets out of its frame is
// shown before a real relayd: scenarios/captured_page_test.py.
"use strict";

const assert = require("node:assert/strict");
const { after, afterEach, before, beforeEach, test } = require("node:test");
const answers = require("./answers.js");
const { added_to, message, order } = require("./captured_answers.js");
const { launch, open, press, says, settled, text } = require("./browser.js");
const { StandIn, TOKEN } = require("./stand_in.js");

const REF = "#captured/kept%2F1j0m1q185e7";

let browser, server;
before(async () => { browser = await launch(); });
after(() => browser.close());
beforeEach(async () => { server = await new StandIn(added_to(answers.calm(), [order])).listen(); });
afterEach(() => server.close());

async function side(page, label) {
  await press(page, "#captured-message .choice span", label);
  await settled(page);
  return text(page, "#sides");
}

test("the tab is there where a sandbox is", async () => {
  const page = await open(browser, server.url);
  await page.waitForSelector("#tab-captured:not([hidden])");
  await page.focus("#tab-mail");
  await page.keyboard.press("ArrowRight");
  await page.waitForSelector("#panel-captured:not([hidden])");
  const [stream] = server.streams;
  server.event("change", { status: { sandboxes: null } }, [stream]);
  await page.waitForSelector("#tab-captured[hidden]");
  await page.focus("#tab-mail");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.evaluate(() => document.activeElement.id), "tab-accounts");
  assert.deepEqual(page.problems, []);
  await page.end();
});

test("messages are listed, searched, and gone through page by page", async () => {
  const many = Array.from({ length: 150 }, (_, i) => message({ id: `1j0m1q18${500 - i}`, subject: `number ${i}`, recipients: Array.from({ length: i === 0 ? 7 : 1 }, (_, j) => `to${j}@b.example`) }));
  server.answers = added_to(answers.calm(), many);
  const page = await open(browser, server.url, "#captured");
  await says(page, "#captured-list", "number 0");
  assert.match(await text(page, "#captured-list tbody tr"), /number 0\s+Shop <orders@example.com>\s+to0@b.example,[^]*and 2 more[^]*by kept/);
  assert.doesNotMatch(await text(page, "#captured-list"), /number 100/);
  await press(page, "#captured-list button", "Next");
  await says(page, "#captured-list", "number 149");
  await press(page, "#captured-list button", "Previous");
  await says(page, "#captured-list", "number 0");
  await page.type("#captured-filter input[name=query]", "number 149\n");
  await page.waitForFunction(() => document.querySelectorAll("#captured-list tbody tr").length === 1);
  assert.equal(new URL(page.url()).hash, "#captured?query=number+149");
  assert.deepEqual(page.problems, []);
  await page.end();
});

test("a message has its HTML, text, attachments, links, header and source", async () => {
  const page = await open(browser, server.url, "#captured");
  await press(page, "#captured-list a", "Ihre Bestellung Привет");
  await page.waitForSelector("#sides iframe");
  await settled(page);
  assert.equal(await page.evaluate(() => document.activeElement.id), "captured-title");
  assert.deepEqual(await page.$eval("#sides iframe", (frame) => [frame.getAttribute("sandbox"), frame.getAttribute("referrerpolicy"), frame.title]), ["", "no-referrer", "HTML of the message"]);
  assert.match(await page.frames()[1].evaluate(() => document.body.innerText), /Zwölf Äpfel/);
  assert.match(await text(page, "#captured-message .facts"), /orders@example.com to juergen@customer.example/);
  assert.match(await side(page, "Text"), /Zwölf Äpfel/, "in the charset of the mail");
  assert.match(await side(page, "Attachments (1)"), /Rechnung für Köln.pdf\s+application\/pdf\s+8 octets/);
  const links = await side(page, "Links");
  assert.match(links, /https:\/\/shop.example\/x\?a=1&b=2\n/);
  assert.match(links, /https:\/\/shop.example\/a\?b=1/);
  assert.equal(await page.$$eval("#sides a", (all) => all.length), 0, "none can be followed");
  assert.match(await side(page, "Header"), /Subject: Ihre Bestellung =\?koi8-r/);
  assert.match(await side(page, "Source"), /source/);
  await side(page, "HTML");
  assert.equal(server.asked.filter((one) => one.path.startsWith("/captured/")).length, 1, "a side stays as it was made");
  assert.deepEqual(page.problems, []);
  await page.end();
});

test("the sides of a message are reached by keys", async () => {
  const page = await open(browser, server.url, REF);
  await page.waitForSelector("#sides iframe");
  await page.focus(".choice input[name=side]");
  await page.keyboard.press("ArrowRight");
  await says(page, "#side-text", "Zwölf");
  await page.keyboard.press("ArrowRight");
  await says(page, "#side-attachments", "Rechnung");
  await page.end();
});

test("attachments and messages are saved under their names", async () => {
  const page = await open(browser, server.url, REF);
  await page.waitForSelector("#sides iframe");
  await page.evaluate(() => {
    window.saved = [];
    HTMLAnchorElement.prototype.click = function () { window.saved.push(this.download); };
  });
  await side(page, "Attachments (1)");
  await press(page, "#sides button", "Save");
  await press(page, "#captured-message button", "Save the message");
  await page.waitForFunction(() => window.saved.length === 2);
  assert.deepEqual((await page.evaluate(() => window.saved)).sort(), ["1j0m1q185e7.eml", "Rechnung für Köln.pdf"]);
  assert.ok(server.asked.some((one) => one.path === "/api/captured/kept/1j0m1q185e7/part/3"));
  await page.end();
});

test("all are cleared with the token after a question", async () => {
  const page = await open(browser, server.url, "#captured");
  await says(page, "#captured-list", "Ihre Bestellung");
  await press(page, "#captured-list button", "Clear…");
  await says(page, "#ask", "Clear all messages that sandboxes have kept?");
  await page.click("#ask-yes");
  await page.waitForSelector("#token[open]");
  await page.type("#token-value", TOKEN + "\n");
  await says(page, "#said", "1 message deleted.");
  await says(page, "#captured-list", "No message has been captured.");
  assert.deepEqual(server.asked.find((one) => one.method === "POST" && one.token), { method: "POST", path: "/api/captured/clear", query: {}, body: {}, token: TOKEN });
  await page.end();
});

test("what is gone, or long, is said", async () => {
  server.answers = added_to(answers.calm(), [{ ...order, cut: true }]);
  const page = await open(browser, server.url, REF);
  await says(page, "#sides", "It is long: the first 2.1 MB are shown.");
  await page.evaluate(() => { location.hash = "#captured/kept%2F1j0m1q185e8"; });
  await says(page, "#captured-message", "there is no such message");
  await page.end();
});
