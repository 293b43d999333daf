"use strict";
// Times, as `relayd status` says them: UTC, spans by their two largest units. They count by relayd's clock.

let clock_ahead = 0; // of relayd's, in milliseconds

function set_clock(time) {
  const there = Date.parse(time);
  if (Number.isFinite(there)) clock_ahead = there - Date.now();
}

function now() {
  return Date.now() + clock_ahead;
}

function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const minutes = Math.floor(whole / 60), hours = Math.floor(minutes / 60);
  if (minutes < 2) return `${whole} s`;
  if (hours < 2) return `${minutes} min`;
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days ${hours % 24} h`;
}

// "14:03:22 UTC", with its day where that is another one.
function clock(time) {
  const when = new Date(time);
  if (!Number.isFinite(when.getTime())) return plain(time);
  const text = when.toISOString();
  const today = new Date(now()).toISOString().slice(0, 10);
  return (text.startsWith(today) ? "" : text.slice(0, 10) + " ") + text.slice(11, 19) + " UTC";
}

function text_of(time, kind) {
  const seconds = (Date.parse(time) - now()) / 1000;
  if (!Number.isFinite(seconds)) return "";
  if (kind === "left") return seconds > 0 ? span(seconds) : "now";
  if (kind === "in") return seconds > 0 ? `in ${span(seconds)}` : "any moment";
  return kind === "ago" ? `${span(-seconds)} ago` : span(-seconds);
}

// How long ago or until then; goes on by itself. Kinds: "age", "ago", "in", "left".
function ticking(time, kind) {
  if (!time) return null;
  return el("time", { datetime: plain(time, 40), "data-tick": kind, title: clock(time) }, text_of(time, kind));
}

function moment(time) {
  return time ? el("time", { datetime: plain(time, 40) }, clock(time)) : null;
}

function moment_and_age(time) {
  return time ? [moment(time), " (", ticking(time, "ago"), ")"] : null;
}

function tick() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("time[data-tick]")) {
    if (!element.offsetParent) continue;
    const text = text_of(element.getAttribute("datetime"), element.dataset.tick);
    if (element.textContent !== text) element.textContent = text;
  }
}
setInterval(tick, 1000);
