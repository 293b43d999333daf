"use strict";
// The view "Now": what needs a person, how much there is, what went through, and what this relay is.

const most_troubles = 12;

function trouble_row(one) {
  const severity = one.severity === "critical" ? "critical" : "warning";
  const link = one.upstream && el("a", { href: "#lanes?upstream=" + encoded(one.upstream) }, "its lanes");
  return el("li", { class: severity },
    el("span", { class: `sign ${severity}` }, severity),
    el("div", {}, el("p", { class: "what" }, said(one.what)),
      one.advice && el("p", { class: "advice" }, advised(one.advice)),
      (one.since || link) && el("p", { class: "quiet" }, one.since ? ["since ", moment(one.since), ", for ", ticking(one.since, "age")] : "",
        one.since && link ? " · " : "", link)));
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

function show_troubles(status) {
  const found = status.trouble ?? [];
  const rest = found.length - most_troubles;
  by_id("badge-now").hidden = found.length === 0;
  show(by_id("badge-now"), count(found.length), el("span", { class: "unseen" }, " in trouble"));
  document.title = found.length ? `(${found.length}) relayd` : "relayd";
  const told = found.map((one) => one.what.replace(/\d+/g, "")).join("\n"); // minutes pass
  if (troubles_told !== null && told !== troubles_told)
    tell(found.length ? several(found.length, "thing needs you.", "things need you.") : "Nothing needs you any more.");
  troubles_told = told;
  if (!found.length) return show(by_id("trouble"), el("h2", { class: "unseen" }, "What needs you"), calm_line(status));
  show(by_id("trouble"), el("h2", {}, "Needs you"), el("ul", { class: "troubles" }, found.slice(0, most_troubles).map((one) => trouble_row(one))),
    rest > 0 && el("p", {}, `and ${count(rest)} more; `, el("a", { href: "#lanes?trouble=true" }, "lanes in trouble")));
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
    fact("user", said(process.user), process.uid === 0 && ["; ", advised("`user` in the configuration names a better one")]),
    fact("confinement", process.confined === undefined ? "" : !process.confined ? "none"
      : process.lacks ? ["not whole; ", said(process.lacks)] : "whole"),
    status.since_start?.recovered_in_doubt > 0 && fact("recovered at the start",
      `${count(status.since_start.recovered_in_doubt)} that an upstream may already have taken`),
    status.suppressed?.count > 0 && fact("suppressed", several(status.suppressed.count, "recipient", "recipients"),
      status.suppressed.on ? "" : advised(", but `suppress` is off and they are not refused")),
    webhooks.length > 0 && fact("webhooks", el("ul", { class: "bare" }, webhooks)),
    unused.length > 0 && fact("not used yet", listed(unused))));
}

acts.reload = () => attempt(async () => {
  if (!await confirmed("Reload the configuration?", "Reload", el("p", {}, "relayd reads its files again. Where they have errors, the configuration in use stays."))) return;
  const result = await (await change("reload", {})).json();
  const errors = [result.errors, result.warnings, result.left].flat().filter(Boolean);
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
  show_troubles(status);
  show_figures(status);
  show_facts(status);
}
