// Drives Debian's Chromium, and records what no page of ours may cause.
"use strict";

const puppeteer = require("puppeteer-core");

const PATIENCE = 120_000; // milliseconds: it bounds a stall, on a machine that has much to do
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

function launch() {
  const root = process.getuid() === 0 ? ["--no-sandbox"] : [];
  return puppeteer.launch({
    executablePath: CHROMIUM, headless: true, timeout: PATIENCE, protocolTimeout: PATIENCE, // the first start reads all of it from the disk
    // Nothing but loopback is found, whatever asks for it.
    args: [...root, "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
  });
}

// A page of the stand-in at `hash`; page.problems is what went wrong: an error in the console, a script that broke, a
// request to elsewhere, a violation of the policy, a dialog.
async function open(browser, url, hash = "", { scheme = "light", width = 1280, height = 900 } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.problems = [];
  page.setDefaultTimeout(PATIENCE);
  page.on("console", (message) => {
    const is_token_wanted = message.text().includes("status of 401");
    if (["error", "warn"].includes(message.type()) && !is_token_wanted) page.problems.push(`console: ${message.text()} ${message.location().url ?? ""}`);
  });
  page.on("pageerror", (error) => page.problems.push(`script: ${error.message}`));
  page.on("dialog", (dialog) => {
    page.problems.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("data:")) page.problems.push(`outside: ${request.url()}`);
  });
  await page.evaluateOnNewDocument(() => {
    document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }, { name: "prefers-reduced-motion", value: "reduce" }]);
  await page.setViewport({ width, height });
  await page.goto(url + hash);
  await page.waitForSelector(".link.live");
  await settled(page);
  page.end = () => context.close();
  return page;
}

// What was asked is answered and drawn.
async function settled(page) {
  await page.waitForNetworkIdle({ idleTime: 100, concurrency: 1 }); // the stream of events stays open
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

// Waits until the text of what the selector names has this in it.
function says(page, selector, text) {
  return page.waitForFunction((where, what) => [...document.querySelectorAll(where)].some((one) => one.innerText.includes(what)), {}, selector, text);
}

function text(page, selector) {
  return page.$eval(selector, (element) => element.innerText);
}

// Clicks what has this text, as soon as it is there. An event may have it drawn anew in between.
async function press(page, selector, label) {
  for (const end = Date.now() + PATIENCE;;) {
    const found = await page.waitForFunction((where, wanted) => [...document.querySelectorAll(where)]
      .find((one) => one.innerText.trim() === wanted && one.offsetParent !== null), {}, selector, label);
    try {
      return await found.click();
    } catch (error) {
      if (!/detached|not clickable/.test(error.message) || Date.now() > end) throw error;
    }
  }
}

module.exports = { PATIENCE, launch, open, settled, says, text, press };
