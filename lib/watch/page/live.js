"use strict";
// What relayd tells by itself: all of it at first, then what changed (RFC 7396).

const state = { status: null, lanes: {}, lanes_total: 0 };

let events = null;
let lost_since = null;
let heard_at = 0;

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
  });
}

function show_link() {
  const place = by_id("link"), lost = by_id("lost");
  place.className = lost_since ? "link lost" : state.status ? "link live" : "link wait";
  by_id("link-text").textContent = lost_since ? "Connection lost" : state.status ? "Live" : "Connecting…";
  lost.hidden = !lost_since;
  if (!lost_since) return;
  const since = new Date(lost_since).toISOString();
  const old = state.status ? " What you see is from then." : "";
  show(lost, "The connection to relayd is lost since ", moment(since), " (", ticking(since, "age"), `).${old} It is tried again by itself.`);
}

function lose() {
  lost_since ??= now();
  show_link();
}

function hear() {
  heard_at = Date.now();
  if (lost_since) {
    lost_since = null;
    tell("The connection to relayd is back.");
  }
}

function on(name, work) {
  events.addEventListener(name, (event) => {
    hear();
    work(JSON.parse(event.data));
    show_link();
  });
}

function connect() {
  events?.close();
  events = new EventSource("/api/events");
  on("whole", (whole) => {
    set_clock(whole.status?.time);
    take(whole);
    load_series();
    if (!by_id("panel-lanes").hidden) ask_for_lanes();
  });
  on("change", (patch) => {
    if (patch.status?.time) set_clock(patch.status.time);
    take(merged(state, patch));
  });
  on("point", add_point);
  events.onerror = lose;
}

// A browser gives up where the answer was no stream; and does not see that a way is dead where nothing is sent.
async function look_after() {
  if (document.hidden) return;
  if (events.readyState === EventSource.CLOSED) return connect();
  if (lost_since || Date.now() - heard_at < 30_000) return;
  try {
    await fetch("/livez", { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    heard_at = Date.now();
  } catch {
    lose();
    connect();
  }
}

function begin_live() {
  connect();
  setInterval(look_after, 5000);
}
