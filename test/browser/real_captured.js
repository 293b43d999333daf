// Hostile HTML that a real relayd has kept, in a real browser; run by scenarios/captured_page_test.py, which knows
// whether anything got out.
//
//   real_captured.js URL REF CLICKS   (of a message: "UPSTREAM/ID"; whether its middle is clicked)
"use strict";

const assert = require("node:assert/strict");
const { launch, open, press, settled } = require("./browser.js");

const [url, ref, clicks] = process.argv.slice(2);

// Chromium says in the console what is wrong with the HTML, and what the policy or the sandbox has stopped there;
// puppeteer tells of requests that never leave. Whatever else goes wrong counts: a dialog, a script, an error of ours.
const is_stopped = (problem) => /^outside: |^console: .*(\/captured\/|Content Security Policy|sandboxed)|^console: policy: /s.test(problem);

async function click(page) {
  await page.$eval("#sides iframe", (frame) => frame.scrollIntoView({ block: "center" }));
  const box = await (await page.$("#sides iframe")).boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await settled(page);
}

async function look(page) {
  const words = await page.frames()[1].evaluate(() => document.body.innerText);
  assert.match(words, /visible words/);
  const edge = await page.evaluate(() => {
    const box = document.querySelector("#sides iframe").getBoundingClientRect();
    return document.elementFromPoint(box.left + 20, box.top - 4).closest("#captured-message") !== null;
  });
  assert.ok(edge, "it covers no more than its frame");
  await press(page, "#captured-message .choice span", "Links");
  await settled(page);
  const links = await page.$eval("#side-links", (side) => side.innerText);
  for (const name of ["a", "img", "form", "object", "embed", "poster"]) assert.ok(links.includes(`/${name}\n`), name);
  const made = await page.$eval("#panel-captured", (panel) => [...panel.querySelectorAll("*")].map((one) => one.localName));
  assert.deepEqual(made.filter((name) => /^(img|object|embed|base|meta|link|script|style)$/.test(name)), []);
}

async function use(browser) {
  const page = await open(browser, url, "#captured/" + encodeURIComponent(ref), { height: 1300 });
  const begin = page.url();
  await page.waitForSelector("#sides iframe");
  await settled(page);
  const pages = (await browser.pages()).length;
  await (clicks === "true" ? click(page) : look(page));
  assert.equal((await browser.pages()).length, pages, "no window was opened");
  assert.equal(page.url(), begin, "nobody was led away");
  assert.equal(await page.evaluate(() => window.ran), undefined, "nothing ran");
  assert.deepEqual(page.problems.filter((problem) => !is_stopped(problem)), []);
  await page.click("#tab-now");
  await page.waitForSelector("#panel-now:not([hidden])");
}

launch().then(async (browser) => {
  try {
    await use(browser);
  } finally {
    await browser.close();
  }
});
