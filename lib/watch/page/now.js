"use strict";
// The view "Now": what needs a person, how much there is, what went through, and what this relay is.

const most_troubles = 12;
const state_names = { stopped: "paused by operator", quota_used_up: "quota used up" };

function lane_name(lane) {
  return [el("strong", {}, said(lane.upstream)), lane.account ? [" as ", said(lane.account)] : ""];
}

function limit_text(quota) {
  const slides = quota.period !== "day" && quota.period !== "month";
  return `${count(quota.limit)}${quota.counts === "messages" ? " messages" : ""}` +
    `${slides ? " in " + plain(quota.period) : ""}${quota.total ? " of all accounts" : ""}`;
}

// What keeps the lane, or that nothing does.
function lane_state(lane) {
  if (lane.state === "stopped") return ["paused by the operator"];
  const quota = lane.state === "quota_used_up" && lane.quota ? `quota of ${limit_text(lane.quota)} used up` : "";
  return [quota || (state_names[lane.state] ?? plain(lane.state)), lane.state === "probing" ? ", " : " ", lane_why(lane)];
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

const troubled_states = { stopped: "note", paused: "warning", quota_used_up: "warning", probing: "note" };

function link_to(hash, text) {
  return el("a", { href: hash }, text);
}

function trouble_of_lane(lane) {
  return {
    key: `lane ${lane.upstream} ${lane.account}`, severity: troubled_states[lane.state],
    what: [lane_name(lane), ": ", lane_state(lane)], since: lane.since, advice: lane.advice,
    link: link_to("#lanes?upstream=" + encodeURIComponent(lane.upstream), "its lane"),
  };
}

function trouble_of_account(account) {
  const fails = account.state === "failing";
  return {
    key: `account ${account.upstream} ${account.account}`, severity: fails ? "critical" : "warning",
    what: ["account ", lane_name({ upstream: account.account || "without login", account: "" }), " at ",
      said(account.upstream), fails ? " fails because " : " perhaps fails because ", quoted(account.reason)],
    since: account.since, advice: account.advice, link: link_to("#accounts", "accounts"),
  };
}

function trouble_of_credential(one) {
  const left = (Date.parse(one.ends_at) - now()) / 1000;
  if (one.kind === "access_token" || !(left < 14 * 86400)) return null;
  return {
    key: `credential ${one.upstream} ${one.account}`, severity: left < 2 * 86400 ? "critical" : "warning",
    what: [plain(one.kind).replaceAll("_", " "), " of ", lane_name(one), left > 0 ? " ends in " : " has ended",
      left > 0 && ticking(one.ends_at, "left")],
    advice: "Make a new one, and put it where the configuration says.", link: link_to("#accounts", "accounts"),
  };
}

function trouble_of_webhook(webhook) {
  if (!webhook.disabled && !webhook.next_try) return null;
  return {
    key: `webhook ${webhook.url}`, severity: "warning", since: webhook.failing_since,
    what: ["webhook ", said(webhook.url), ": ", webhook.disabled ? "disabled by its receiver (410)"
      : ["fails because ", quoted(webhook.reason), ", tried again ", ticking(webhook.next_try, "in")]],
    advice: webhook.disabled ? "A reload tries it again." : "See to its receiver; events wait on disk meanwhile.",
  };
}

// From what the status says of itself, as long as it has no list of its own.
function derived_troubles(status, lanes) {
  const found = [];
  const failed = status.configuration?.failed;
  if (status.since_start?.disk_troubles > 0)
    found.push({ key: "disk", severity: "critical", what: `disk: trouble since the start (${count(status.since_start.disk_troubles)})`,
      advice: "“queue_trouble” in the log says what." });
  for (const account of status.accounts ?? []) if (account.state !== "ok") found.push(trouble_of_account(account));
  if (failed)
    found.push({ key: "configuration", severity: "warning", since: failed.time, what: ["the reload failed: ", said(failed.reason),
      failed.errors > 1 ? ` (and ${count(failed.errors - 1)} more)` : ""],
    advice: "The configuration before it stays in use. Correct it and reload." });
  for (const lane of lanes) if (troubled_states[lane.state]) found.push(trouble_of_lane(lane));
  found.push(...(status.credentials ?? []).map(trouble_of_credential), ...(status.webhooks ?? []).map(trouble_of_webhook));
  if (status.queue?.held > 0)
    found.push({ key: "held", severity: "note", what: several(status.queue.held, "message is held", "messages are held"),
      advice: "Look at each, then release it or delete it.", link: link_to("#mail?state=held", "what is held") });
  return found.filter(Boolean);
}

const severities = ["critical", "warning", "note"];

function troubles(status, lanes) {
  if (!Array.isArray(status.trouble)) return derived_troubles(status, lanes);
  return status.trouble.map((one, i) => ({
    ...one, key: `${i} ${one.what}`, what: said(one.what),
    link: one.upstream ? link_to("#lanes?upstream=" + encodeURIComponent(one.upstream), "its lane") : null,
  }));
}

function severity_of(one) {
  return severities.includes(one.severity) ? one.severity : "note";
}

function trouble_row(one) {
  const severity = severity_of(one);
  return el("li", { class: severity, "data-key": plain(one.key) },
    el("span", { class: `sign ${severity}` }, severity),
    el("div", {}, el("p", { class: "what" }, one.what),
      one.advice && el("p", { class: "advice" }, said(one.advice)),
      el("p", { class: "quiet" }, one.since ? ["since ", moment(one.since), ", for ", ticking(one.since, "age")] : "",
        one.since && one.link ? " · " : "", one.link ?? "")));
}

function calm_line(status) {
  const queue = status.queue ?? {};
  const oldest = queue.oldest ? ["; the oldest is ", ticking(queue.oldest.accepted, "age"), " old"] : "";
  return el("p", { class: "calm" }, svg("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" },
    svg("circle", { cx: 10, cy: 10, r: 9 }), svg("path", { d: "M6 10.5l3 3 5.5-6.5" })),
  el("span", {}, el("strong", {}, "Nothing needs you."), " ",
    queue.waiting > 0 ? [several(queue.waiting, "message waits", "messages wait"), oldest, "."] : "No mail waits."));
}

let troubles_told = null; // what was announced last

function show_troubles(status, lanes) {
  const found = troubles(status, lanes)
    .sort((a, b) => severities.indexOf(severity_of(a)) - severities.indexOf(severity_of(b)));
  const grave = found.filter((one) => severity_of(one) !== "note").length;
  by_id("badge-now").hidden = found.length === 0;
  show(by_id("badge-now"), count(found.length), el("span", { class: "unseen" }, " in trouble"));
  document.title = found.length ? `(${found.length}) relayd` : "relayd";
  const keys = found.map((one) => one.key).join("\n");
  if (troubles_told !== null && keys !== troubles_told)
    tell(found.length ? several(found.length, "thing needs you.", "things need you.") : "Nothing needs you any more.");
  troubles_told = keys;
  if (!found.length) return show(by_id("trouble"), el("h2", { class: "unseen" }, "What needs you"), calm_line(status));
  const rest = found.length - most_troubles;
  show(by_id("trouble"), el("h2", {}, grave ? "Needs you" : "To look at"),
    el("ul", { class: "troubles" }, found.slice(0, most_troubles).map(trouble_row)),
    rest > 0 && el("p", {}, `and ${count(rest)} more: `, link_to("#lanes?trouble=true", "lanes in trouble")));
}

function figure(label, value, more, hash) {
  const number = el("b", {}, value);
  return el("div", { class: "tile" }, el("dt", {}, label),
    el("dd", {}, hash ? el("a", { href: hash, "aria-label": `${value} ${label}` }, number) : number, more && el("small", {}, more)));
}

function show_figures(status) {
  const queue = status.queue ?? {};
  const hour = series_known?.hour;
  const latency = hour && mean(hour.seconds ?? []);
  show(by_id("figures"), el("h2", { class: "unseen" }, "How much there is"), el("dl", { class: "tiles" },
    figure("waiting", count(queue.waiting), queue.oldest ? ["oldest ", ticking(queue.oldest.accepted, "age")] : "", "#mail?state=waiting"),
    figure("under way", count(queue.ready), "", "#mail?state=ready"),
    figure("held", count(queue.held), "", "#mail?state=held"),
    figure("failed", count(queue.failed), queue.failed > 0 ? "given up, kept" : "", "#mail?state=failed"),
    hour && figure("delivered", count(sum(hour.delivered ?? [])), "last hour"),
    hour && figure("in the queue for", duration(latency), "on average, last hour")));
}

function show_facts(status) {
  const process = status.process ?? {}, configuration = status.configuration;
  const webhooks = (status.webhooks ?? []).map((webhook) => el("li", {}, said(webhook.url), ": ",
    several(webhook.sent, "event sent", "events sent"), webhook.waiting_octets > 0 ? `, ${octets(webhook.waiting_octets)} wait` : "",
    webhook.dropped > 0 ? `, ${count(webhook.dropped)} dropped` : ""));
  const unused = status.unused_upstreams ?? [];
  show(by_id("facts"), el("h2", {}, "This relay"), el("dl", { class: "facts" },
    fact("version", plain(status.version), status.uptime >= 0 && [", up ", ticking(started_at, "age")]),
    configuration && fact("configuration", "read at ", moment(configuration.loaded), " ",
      el("button", { type: "button", class: "small", "data-act": "reload" }, "Reload")),
    fact("user", said(process.user), process.uid === 0 && "; `user` in the configuration names a better one"),
    fact("confinement", process.confined === undefined ? "" : !process.confined ? "none"
      : process.lacks ? ["not whole; ", said(process.lacks)] : "whole"),
    status.since_start?.recovered_in_doubt > 0 && fact("recovered at the start",
      `${count(status.since_start.recovered_in_doubt)} that an upstream may already have taken`),
    status.suppressed?.count > 0 && fact("suppressed", several(status.suppressed.count, "recipient", "recipients"),
      status.suppressed.on ? "" : ", but `suppress` is off and they are not refused"),
    webhooks.length > 0 && fact("webhooks", el("ul", { class: "bare" }, webhooks)),
    unused.length > 0 && fact("not used yet", listed(unused))));
}

acts.reload = () => attempt(async () => {
  if (!await confirmed("Reload the configuration?", "Reload", el("p", {}, "relayd reads its files again. Where they have errors, the configuration in use stays."))) return;
  const result = await (await change("reload", {})).json();
  const errors = [...(result.errors ?? []), ...(result.warnings ?? []), ...(result.left ?? [])];
  const title = result.taken ? "The configuration was taken" : "The configuration was not taken";
  tell(title + ".");
  if (errors.length)
    await confirmed(title, "Close", el("ul", { class: "bare" }, errors.map((one) => el("li", {}, said(one)))));
});

let started_at = "";

function show_now(state) {
  const status = state.status;
  if (status.uptime >= 0) started_at = new Date(Date.parse(status.time) - status.uptime * 1000).toISOString();
  if (status.starting) {
    const { messages, octets: read, total } = status.starting;
    show(by_id("trouble"), el("p", { class: "calm" }, el("span", {}, el("strong", {}, "Starting: the queue is being read."),
      ` ${count(messages)} messages and ${octets(read)} of ${octets(total)} so far.`)));
    show(by_id("figures"));
    show(by_id("facts"));
    return;
  }
  show_troubles(status, Object.values(state.lanes));
  show_figures(status);
  show_facts(status);
}
