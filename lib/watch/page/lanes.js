"use strict";
// The view "Lanes": one row a lane, trouble first. The most troubled come by themselves; where there are more lanes than
// those, relayd is asked for the ones that the fields name.

const lanes_a_page = 100;
const states_in_order = ["stopped", "paused", "quota_used_up", "probing", "slowed", "open", "idle"];

const state_names = { stopped: "paused by operator", quota_used_up: "quota used up" };
const troubled_states = { stopped: "note", paused: "warning", quota_used_up: "warning", probing: "note" };

let lanes_wanted = { upstream: "", account: "", trouble: false };
let lanes_shown = lanes_a_page;
let lanes_asked = null; // {rows, total} for lanes_wanted, where the known ones are not all

function is_wanted(lane) {
  const holds = (text, part) => (text ?? "").toLowerCase().includes(part.toLowerCase());
  return holds(lane.upstream, lanes_wanted.upstream) && holds(lane.account, lanes_wanted.account) &&
    (!lanes_wanted.trouble || Boolean(word_in(troubled_states, lane.state)));
}

function in_order(a, b) {
  return states_in_order.indexOf(a.state) - states_in_order.indexOf(b.state) ||
    (a.upstream < b.upstream ? -1 : a.upstream > b.upstream ? 1 : (a.account ?? "") < (b.account ?? "") ? -1 : 1);
}

function limit_text(quota) {
  const slides = quota.period !== "day" && quota.period !== "month";
  return `${count(quota.limit)}${quota.counts === "messages" ? " messages" : ""}` +
    `${slides ? " in " + plain(quota.period) : ""}${quota.total ? " of all accounts" : ""}`;
}

// What stands behind the state.
function lane_why(lane) {
  const why = () => [plain(lane.class), ": ", quoted(lane.reason)];
  const until = () => ["until ", moment(lane.closed_until), " (", ticking(lane.closed_until, "in"), ")"];
  if (lane.state === "paused") return [until(), " because ", why()];
  if (lane.state === "quota_used_up") return until();
  if (lane.state === "probing") return ["paused before because ", why()];
  if (lane.state === "slowed") return [`to ${count(lane.recipients_per_minute)} recipients/min by the upstream`];
  return [];
}

function limits_of(lane) {
  const parts = (lane.rates ?? []).map((rate) => el("div", {}, "at most ", plain(rate)));
  if (lane.recipients_per_minute > 0 && lane.state === "slowed") parts.push(el("div", {}, `${count(lane.recipients_per_minute)} a minute now`));
  for (const quota of lane.quotas ?? (lane.quota ? [lane.quota] : []))
    parts.push(el("div", {}, el("meter", { min: 0, max: quota.limit, low: quota.limit / 10, optimum: quota.limit, value: quota.left,
      "aria-label": `quota left of ${limit_text(quota)}` }), ` ${count(quota.left)} of ${limit_text(quota)} left`));
  return parts;
}

function learnt_of(lane) {
  const learnt = lane.learnt ?? {};
  const again = (time) => (time ? [", tried again ", ticking(time, "in")] : "");
  const parts = (learnt.limits ?? []).map((limit) => ["learnt: ", plain(limit.key), " ", plain(limit.value), ", for ", ticking(limit.holds_until, "left")]);
  if (lane.port && lane.port !== lane.first_port) parts.push([`port ${lane.port}, since ${lane.first_port} fails`, again(learnt.port_until)]);
  if (lane.pipelining_reduced) parts.push(["pipelining reduced", again(learnt.ahead_until)]);
  if (learnt.connections) parts.push(`${count(learnt.connections)} connections of all accounts, more each minute`);
  if (lane.next_password) parts.push("uses next_password");
  if (lane.oauth2) parts.push(["access tokens by ", said(lane.oauth2)]);
  for (const quota of lane.quotas ?? []) parts.push([`quota of ${limit_text(quota)}: more from `, moment(quota.resets_at)]);
  if (learnt.offer?.length) parts.push(["offers ", said(learnt.offer.join(", "))]);
  if (lane.senders) {
    const rest = (lane.sender_rules ?? 0) - lane.senders.length;
    parts.push(["used by the rules ", listed(lane.senders), rest > 0 ? ` and ${count(rest)} more` : ""]);
  }
  return parts;
}

function lane_row(lane) {
  const { busy = 0, idle = 0, allowed = 0 } = lane.connections ?? {};
  const more = learnt_of(lane);
  const stopped = lane.state === "stopped";
  const name = { "data-upstream": lane.upstream, "data-account": lane.account };
  const verb = stopped ? "Resume" : "Pause";
  const trouble = word_in(troubled_states, lane.state) ?? (lane.state === "slowed" ? "note" : "");
  return el("tr", { class: `row ${trouble}`, "data-key": JSON.stringify([lane.upstream, lane.account]) },
    el("th", { scope: "row" }, said(lane.upstream), el("div", { class: "quiet" }, lane.account ? said(lane.account) : "no login")),
    cell("State", state_badge(lane.state, state_names),
      trouble && el("div", { class: "why" }, lane_why(lane), lane.since ? el("div", { class: "quiet" }, "since ", moment(lane.since), ", for ", ticking(lane.since, "age")) : ""),
      more.length > 0 && el("details", {}, el("summary", {}, "More"), el("ul", { class: "bare" }, more.map((one) => el("li", {}, one))))),
    cell_of_number("In line", lane.waiting > 0
      ? el("a", { href: "#mail?upstream=" + encoded(lane.upstream), "aria-label": `${count(lane.waiting)} in line` }, count(lane.waiting)) : "0"),
    cell("Connections", busy + idle > 0 ? `${busy} busy, ${idle} idle` : "none", el("div", { class: "quiet" }, `${allowed} allowed`)),
    cell("Limits", limits_of(lane)),
    cell("Last reply", lane.last_reply && [el("div", { class: "reply" }, said(lane.last_reply, { limit: 400 })),
      el("div", { class: "quiet" }, ticking(lane.last_reply_at, "ago"))]),
    el("td", { class: "act" }, el("button", { type: "button", class: "small", "data-act": "steer", "data-verb": verb.toLowerCase(), ...name,
      "aria-label": `${verb} ${plain(lane.upstream)}${lane.account ? " as " + plain(lane.account) : ""}` }, verb)));
}

// What was asked for, as the known ones stand by now, and what of these is new.
function with_known(rows) {
  const lanes = Object.fromEntries(rows.map((lane) => [`${lane.upstream} ${lane.account}`, lane]));
  return Object.values({ ...lanes, ...state.lanes });
}

function show_lanes(state) {
  const known = Object.values(state.lanes);
  const in_trouble = known.filter((lane) => word_in(troubled_states, lane.state)).length;
  by_id("badge-lanes").hidden = in_trouble === 0;
  show(by_id("badge-lanes"), count(in_trouble), el("span", { class: "unseen" }, " in trouble"));
  if (by_id("panel-lanes").hidden) return;
  const all_known = known.length >= (state.lanes_total ?? known.length);
  const asked = !all_known && lanes_asked;
  const rows = (asked ? with_known(asked.rows) : known).filter(is_wanted);
  const total = asked ? Math.max(asked.total, rows.length) : all_known ? rows.length : state.lanes_total;
  const shown = rows.sort(in_order).slice(0, lanes_shown);
  by_id("lanes-count").textContent = shown.length < total ? `${count(shown.length)} of ${several(total, "lane", "lanes")}, trouble first`
    : several(total, "lane", "lanes");
  if (!shown.length)
    return show(by_id("lanes-list"), el("p", { class: "empty" }, known.length ? "No lane is like that." :
      "There is no lane yet: a lane begins with the first message for its upstream."));
  show(by_id("lanes-list"),
    table("Lanes, trouble first", ["Upstream and account", "State", "In line", "Connections", "Limits and quota left", "Last reply", "Action"],
      shown.map(lane_row), { class: "cards lanes", caption: "unseen" }),
    rows.length > shown.length && el("p", { class: "bar" },
      el("button", { type: "button", "data-act": "more_lanes" }, `Show ${count(Math.min(lanes_a_page, rows.length - shown.length))} more`)));
}

acts.more_lanes = () => {
  lanes_shown += lanes_a_page;
  show_lanes(state);
};

let lanes_question = 0;
async function ask_for_lanes({ again = false } = {}) {
  const mine = ++lanes_question;
  if (!again) lanes_asked = null;
  if (Object.keys(state.lanes).length >= (state.lanes_total ?? 0)) return show_lanes(state);
  const { upstream, account, trouble } = lanes_wanted;
  try {
    const answer = await get("lanes", { upstream, account, trouble: trouble || "", limit: 1000 });
    if (mine !== lanes_question) return;
    lanes_asked = { rows: answer.lanes ?? [], total: answer.total ?? answer.lanes.length };
  } catch (error) {
    if (!again) tell(error.message);
  }
  show_lanes(state);
}

// With each step of the drawings: those that do not come by themselves change, too.
function renew_lanes() {
  if (lanes_asked && !by_id("panel-lanes").hidden) ask_for_lanes({ again: true });
}

acts.steer = ({ verb, upstream, account }) => attempt(async () => {
  const name = [el("strong", {}, said(upstream)), account ? [" as ", said(account)] : " with all its accounts"];
  const what = verb === "pause"
    ? ["Nothing more is sent by ", name, " until somebody resumes it. What waits goes by another upstream of its rule or stays."]
    : ["Mail goes by ", name, " again, and it is tried at once."];
  const title = `${verb === "pause" ? "Pause" : "Resume"} ${account ? "this lane" : "this upstream"}?`;
  if (!await confirmed(title, verb === "pause" ? "Pause" : "Resume", el("p", {}, what))) return;
  const result = await change_lines(`lanes/${verb}`, { upstream, account });
  if (result.errors.length) throw new Error(plain(result.errors[0].error));
  tell(`${plain(upstream)}${account ? " as " + plain(account) : ""}: ${verb}d.`);
});

let lanes_delay = 0;
function read_lanes_fields() {
  const form = new FormData(by_id("lanes-filter"));
  lanes_wanted = { upstream: form.get("upstream").trim(), account: form.get("account").trim(), trouble: form.has("trouble") };
  lanes_shown = lanes_a_page;
  clearTimeout(lanes_delay);
  lanes_delay = setTimeout(ask_for_lanes, 200);
  show_lanes(state);
}

// "#lanes?upstream=U&trouble=true"
function open_lanes(query) {
  const form = by_id("lanes-filter");
  form.elements.upstream.value = query.get("upstream") ?? "";
  form.elements.account.value = query.get("account") ?? "";
  form.elements.trouble.checked = query.get("trouble") === "true";
  read_lanes_fields();
}

function begin_lanes() {
  by_id("lanes-filter").addEventListener("input", read_lanes_fields);
  by_id("lanes-filter").addEventListener("submit", (event) => event.preventDefault());
}
