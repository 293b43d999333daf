"use strict";
// Elements and texts. What comes from mail or a server goes through said() or plain(): it becomes text, never markup,
// and what would not be seen, or would move other letters, is shown by its number.

// Controls, formats (marks of direction, of no width), lone surrogates, private letters, blanks that look like nothing,
// and combining marks beyond three in a row.
const unseen_letters = "\\p{Cf}\\p{Cs}\\p{Co}\\p{Zl}\\p{Zp}\\u115f\\u1160\\u3164\\uffa0";
const piled_marks = "(?<=\\p{M}{3})\\p{M}";
const unseen = new RegExp(`(?:[\\p{Cc}${unseen_letters}]|${piled_marks})+`, "gu");
const unseen_in_lines = new RegExp(`(?:(?![\\t\\n])[\\p{Cc}${unseen_letters}]|${piled_marks})+`, "gu");
const most_marks = 300;
const longest_text = 2000;

function make(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {}))
    if (value !== undefined && value !== null && value !== false)
      element.setAttribute(name, value === true ? "" : value);
  const is_there = (child) => child !== undefined && child !== null && child !== false && child !== "";
  element.append(...children.flat(Infinity).filter(is_there));
  return element;
}

// Children are nodes, texts, lists of them, or nothing. Attributes that are undefined or false are left out.
function el(name, attributes, ...children) {
  return make(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return make(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

// "U+202E", "U+200B×12 U+FEFF" for what stands in a row.
function numbers_of(letters) {
  const names = [];
  for (const letter of letters) {
    const name = "U+" + letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    const last = names.at(-1);
    if (last && last.name === name) last.count++;
    else names.push({ name, count: 1 });
  }
  const shown = names.slice(0, 12).map(({ name, count }) => (count > 1 ? `${name}×${count}` : name));
  return shown.join(" ") + (names.length > 12 ? ` and ${names.length - 12} more` : "");
}

// The beginning of a text, which does not end inside a letter.
function beginning(text, limit) {
  if (text.length <= limit) return text;
  const last = text.charCodeAt(limit - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? limit - 1 : limit);
}

// [{text}, {mark}…] of a text, and how many of its letters were left out.
function pieces_of(value, { limit = longest_text, lines = false } = {}) {
  const whole = lines ? String(value).replaceAll("\r\n", "\n") : String(value);
  const text = beginning(whole, limit);
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(lines ? unseen_in_lines : unseen)) {
    if (pieces.length > 2 * most_marks) return { pieces, left: whole.length - end };
    if (match.index > end) pieces.push({ text: text.slice(end, match.index) });
    pieces.push({ mark: numbers_of(match[0]) });
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end) });
  return { pieces, left: whole.length - text.length };
}

// For attributes and announcements.
function plain(value, limit = 300) {
  const { pieces, left } = pieces_of(value ?? "", { limit });
  const text = pieces.map((piece) => piece.text ?? `⟨${piece.mark}⟩`).join("");
  return beginning(text, limit) + (left > 0 || text.length > limit ? "…" : "");
}

// An element of its own direction. Options: `lines` keeps line ends, `limit` is the most letters.
function said(value, options) {
  if (value === undefined || value === null || value === "") return null;
  const { pieces, left } = pieces_of(value, options);
  const more = left > 0 ? el("span", { class: "mark" }, `… ${count(left)} more characters`) : null;
  return el("bdi", { class: "said" },
    pieces.map((piece) => piece.text ?? el("span", { class: "mark" }, piece.mark)), more);
}

// What relayd says itself: words between backticks are those of a configuration or a command.
function advised(value) {
  return String(value ?? "").split("`").map((part, i) => (i % 2 ? el("code", {}, said(part)) : said(part)));
}

function quoted(value) {
  return value ? ["“", said(value), "”"] : null;
}

// Addresses, or the null sender.
function address(value) {
  return el("span", { class: "address" }, value ? said(value, { limit: 330 }) : "<>");
}

function listed(values, most = 50) {
  const all = Array.isArray(values) ? values : [values];
  const shown = all.slice(0, most).map((value, i) => [i > 0 ? ", " : "", address(value)]);
  return all.length > most ? [shown, ` and ${count(all.length - most)} more`] : shown;
}

const whole_numbers = new Intl.NumberFormat("en-GB");
const short_numbers = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3 });

function count(number) {
  return Number.isFinite(number) ? (Number.isInteger(number) ? whole_numbers : short_numbers).format(number) : "–";
}

function several(number, one, many) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

function octets(number) {
  if (!(number >= 1000)) return `${count(number)} octets`;
  if (number < 1e6) return `${count(number / 1e3)} kB`;
  return number < 1e9 ? `${count(number / 1e6)} MB` : `${count(number / 1e9)} GB`;
}

// In an address; half a letter cannot stand there.
function encoded(text) {
  return encodeURIComponent(String(text).replace(/\p{Cs}/gu, "\ufffd"));
}

function word_in(words, word) {
  return Object.hasOwn(words, word) ? words[word] : undefined;
}

// A class of ours for a word of relayd's; none for what is no such word.
function class_of(word) {
  return /^[a-z_]{1,20}$/.test(word) ? `is-${word}` : "";
}

// `words`: what it is called where that is not its name.
function state_badge(state, words = {}) {
  const word = String(state ?? "").split(" ").at(-1); // "2 delivered, 1 failed"
  return el("span", { class: `state ${class_of(word)}` }, word_in(words, state) ?? plain(state, 30).replaceAll("_", " "));
}

// --- the document ---

function by_id(id) {
  return document.getElementById(id);
}

// Makes the children of a place those that are wanted; what is the same stays, with its focus and what was typed.
function show(place, ...children) {
  const wanted = make(document.createDocumentFragment(), {}, children);
  fit_children(place, [...wanted.childNodes]);
}

function key_of(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null;
}

function fit_children(place, wanted) {
  const keyed = new Map([...place.children].filter(key_of).map((child) => [key_of(child), child]));
  let at = place.firstChild;
  for (const node of wanted) {
    const key = key_of(node);
    const old = key ? keyed.get(key) : at;
    if (!old || old.nodeName !== node.nodeName || (!key && key_of(old))) {
      place.insertBefore(node, at);
      continue;
    }
    if (old !== at) place.insertBefore(old, at);
    fit(old, node);
    at = old.nextSibling;
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function fit(old, wanted) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== wanted.data) old.data = wanted.data;
    return;
  }
  for (const { name } of [...old.attributes])
    if (!wanted.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of wanted.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  fit_children(old, [...wanted.childNodes]);
}

// What a button with data-act does: acts.NAME(its data, the button).
const acts = {};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button && acts[button.dataset.act]) acts[button.dataset.act](button.dataset, button);
});

// Told to who reads by ear, and shown for some seconds.
let said_until = 0;
function tell(text) {
  const place = by_id("said");
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(said_until);
  said_until = setTimeout(() => place.classList.remove("shown"), 8000);
}

// A table; `columns` are its heads, `rows` of class "row" its lines.
function table(caption, columns, rows, more = {}) {
  return el("table", more,
    el("caption", { class: more.caption ?? "" }, caption),
    el("thead", {}, el("tr", {}, columns.map((column) => el("th", { scope: "col" }, column)))),
    el("tbody", {}, rows));
}

// A cell that says on a narrow screen what it is.
function cell(label, ...children) {
  const inside = el("div", {}, ...children);
  return el("td", { "data-label": label }, inside.childNodes.length > 0 && inside);
}

function cell_of_number(label, value) {
  return el("td", { "data-label": label, class: "number" }, el("div", {}, value));
}

function fact(label, ...children) {
  const value = el("dd", {}, ...children);
  return value.childNodes.length ? [el("dt", {}, label), value] : null;
}
