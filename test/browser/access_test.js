// Whoever hears the page, or sees it on a phone or in the dark, has all of it: axe-core finds nothing in any view.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const { after, afterEach, before, beforeEach, test } = require("node:test");
const answers = require("./answers.js");
const captured = require("./captured_answers.js");
const { launch, open, press } = require("./browser.js");
const { StandIn } = require("./stand_in.js");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const LOOKS = { light: {}, dark: { scheme: "dark" }, phone: { width: 360, height: 780 }, "dark phone": { scheme: "dark", width: 360, height: 780 } };

let browser, server;
before(async () => { browser = await launch(); });
after(() => browser.close());
beforeEach(async () => { server = await new StandIn(answers.calm()).listen(); });
afterEach(() => server.close());

async function violations(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  return violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => `${node.target} ${node.any.map((check) => check.message)}`).join(" | ")}`);
}

for (const [look, options] of Object.entries(LOOKS))
  test(`axe-core finds nothing: ${look}`, async () => {
    for (const kind of ["calm", "troubled", "empty"]) {
      server.answers = captured.added_to(answers[kind](), kind === "empty" ? [] : [captured.order]);
      const page = await open(browser, server.url, "", options);
      for (const hash of ["#now", "#lanes", "#mail", "#mail/1j0m0000001", "#captured", "#captured/kept%2F1j0m1q185e7", "#accounts", "#explain"]) {
        await page.goto(server.url + hash);
        await page.waitForSelector(".link.live");
        await page.waitForFunction(() => !document.querySelector("[aria-busy]"));
        await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
        assert.deepEqual(await violations(page), [], `${kind} ${hash}`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${kind} ${hash} is too wide`);
      }
      await page.end();
    }
  });

test("axe-core finds nothing in the dialogs, nor when the connection is lost", async () => {
  const page = await open(browser, server.url, "#mail/1j0m0000001");
  await press(page, "#message button", "Delete…");
  assert.deepEqual(await violations(page), []);
  await page.click("#ask-yes");
  await page.waitForSelector("#token[open]");
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press("Escape");
  await server.close();
  await page.waitForSelector("#lost:not([hidden])");
  assert.deepEqual(await violations(page), []);
  await page.end();
});
