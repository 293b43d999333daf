// The page of a real relayd, as an operator would use it; run by scenarios/page_test.py.
//
//   real_relay.js URL TOKEN WAITING GONE   (ids: of a message that waits, and of one that has left)
"use strict";

const assert = require("node:assert/strict");
const { launch, open, press, says } = require("./browser.js");

const [url, token, waiting, gone] = process.argv.slice(2);

async function use(browser) {
  const page = await open(browser, url);
  await says(page, "#figures", "1");
  await page.waitForSelector("#flow:not([hidden]) svg.chart");
  await page.click("#tab-lanes");
  await says(page, "#lanes-list", "away");
  await page.click("#tab-mail");
  await says(page, "#queue", waiting);
  await says(page, "#queue", "to@b.example");
  await says(page, "#gone", gone);
  await press(page, "#queue a", waiting);
  await says(page, "#message h2", "<script>alert(1)</script> U+202Etxt");
  await says(page, "#message .story", "deferred");
  await press(page, "#message button", "Hold");
  await page.click("#ask-yes");
  await page.waitForSelector("#token[open]");
  await page.type("#token-value", token + "\n");
  await says(page, "#message .outcome", "1 message held.");
  await says(page, "#message .title", "held");
  await page.click("#tab-now");
  await says(page, "#figures .tile:nth-child(3)", "1"); // told by an event
  await page.evaluate((id) => { location.hash = "#mail/" + id; }, gone);
  await says(page, "#message", "it has left the queue");
  await page.click("#tab-explain");
  await page.type("#explain-form input[name=sender]", "waits@a.example\n");
  await says(page, "#explained", "away");
  // A message that has left is no longer in the queue, which the page asks first.
  assert.deepEqual(page.problems.filter((one) => !(one.includes("status of 404 ") && one.endsWith(`${url}api/queue/${gone}`))), []);
}

launch().then(async (browser) => {
  try {
    await use(browser);
  } finally {
    await browser.close();
  }
});
