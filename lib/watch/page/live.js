"use strict";
// What relayd tells by itself: all of it at first, then what changed (RFC 7396).

const state = { status: null, lanes: {}, lanes_total: 0 };

const silence = 45_000; // so long relayd says nothing at most
const pause = 2000; // before the next try

let lost_since = null;
let lost_why = "";
const no_token = "no token";

function merged(target, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const result = target && typeof target === "object" && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch))
    if (value === null) delete result[name];
    else Object.defineProperty(result, name, { value: merged(result[name], value), enumerable: true, configurable: true, writable: true });
  return result;
}

function take(whole) {
  Object.assign(state, { status: whole.status ?? {}, lanes: whole.lanes ?? {}, lanes_total: whole.lanes_total });
  show_state();
}

let is_due = false;
function show_state() {
  if (is_due) return;
  is_due = true;
  requestAnimationFrame(() => {
    is_due = false;
    if (!state.status) return;
    show_now(state);
    show_lanes(state);
    show_accounts(state);
    show_captured_tab(state.status);
  });
}

function show_link() {
  const place = by_id("link"), lost = by_id("lost");
  place.className = lost_since ? "link lost" : state.status ? "link live" : "link wait";
  by_id("link-text").textContent = lost_since ? "Connection lost" : state.status ? "Live" : "Connecting…";
  lost.hidden = !lost_since;
  if (!lost_since) return;
  if (lost_why === no_token)
    return show(lost, "relayd shows itself to those who have its token. ", el("button", { type: "button", class: "small", "data-act": "try_again" }, "Give the token"));
  const since = new Date(lost_since).toISOString();
  const old = state.status ? " What you see is from then." : "";
  show(lost, "The connection to relayd is lost since ", moment(since), " (", ticking(since, "age"), `): ${lost_why}.${old} It is tried again by itself.`);
}

function lose(why) {
  lost_since ??= now();
  lost_why = why;
  show_link();
}

function hear() {
  if (!lost_since) return show_link();
  lost_since = null;
  if (state.status) tell("The connection to relayd is back.");
  show_link();
}

function take_event(name, data) {
  if (name === "whole") {
    set_clock(data.status?.time);
    take(data);
    load_series();
    if (!by_id("panel-lanes").hidden) ask_for_lanes();
  }
  if (name === "change") take(merged(state, data));
  if (name === "point") add_point(data), renew_lanes();
}

// An EventSource could not say the token. Blocks are parted by an empty line; those without data only show that it lives.
function take_block(block) {
  const fields = block.split("\n").map((line) => line.split(/: ?(.*)/s));
  const data = fields.filter(([name]) => name === "data").map(([, value]) => value).join("\n");
  if (data) take_event(fields.find(([name]) => name === "event")?.[1], JSON.parse(data));
  hear();
}

async function follow() {
  const stop = new AbortController();
  let timer = setTimeout(() => stop.abort(), silence);
  try {
    const answer = await ask("/api/events", { signal: stop.signal });
    if (!answer.ok) return await follow_start(answer);
    const reader = answer.body.getReader(), decoder = new TextDecoder();
    for (let rest = "";;) {
      const { done, value } = await reader.read();
      if (done) throw new Error("relayd has ended it");
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(), silence);
      const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = blocks.pop();
      blocks.forEach(take_block);
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

// While the queue is being read there are no events, but there is a status.
async function follow_start(answer) {
  const status = answer.status === 503 ? await get("status") : {};
  if (!status.starting) return refuse(answer);
  set_clock(status.time);
  take({ status, lanes: {}, lanes_total: 0 });
  hear();
}

let go_on = null; // ends the wait for the next try

async function begin_live() {
  for (;;) {
    try {
      await follow();
    } catch (error) {
      const is_short = error instanceof TypeError || error.name === "AbortError";
      lose(error instanceof Cancelled ? no_token : is_short ? "the connection broke" : error.message);
    }
    await new Promise((resolve) => {
      go_on = resolve;
      if (lost_why !== no_token || !lost_since) setTimeout(resolve, pause);
    });
  }
}

acts.try_again = () => go_on();
