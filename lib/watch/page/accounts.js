"use strict";
// The view "Accounts": what the account watch saw last, and when what accounts log in with ends.

const account_words = { ok: "ok", suspected: "perhaps fails", failing: "fails" };
const account_order = ["failing", "suspected", "ok"];

function account_row(account) {
  return el("tr", { class: `row ${account.state === "failing" ? "critical" : account.state === "suspected" ? "warning" : ""}`,
    "data-key": JSON.stringify([account.upstream, account.account]) },
  el("th", { scope: "row" }, account.account ? said(account.account) : "no login", el("div", { class: "quiet" }, "at ", said(account.upstream))),
  cell("State", state_badge(account.state, account_words), " since ", moment(account.since)),
  cell("What fails", account.reason && el("div", { class: "why" }, account.class ? [plain(account.class), ": "] : "", quoted(account.reason)),
    account.advice && el("div", { class: "advice" }, advised(account.advice)), !account.reason && "nothing"),
  cell("Looked at", ticking(account.looked_at, "ago")));
}

function credential_row(one) {
  const left = (Date.parse(one.ends_at) - now()) / 1000;
  const short = one.kind !== "access_token" && left < 14 * 86400;
  const renewed = one.kind === "access_token" ? "renewed by itself before" : "";
  return el("tr", { class: `row ${short ? "warning" : ""}`, "data-key": JSON.stringify([one.kind, one.upstream, one.account]) },
    el("th", { scope: "row" }, one.account ? said(one.account) : "no login", el("div", { class: "quiet" }, "at ", said(one.upstream))),
    cell("What", plain(one.kind).replaceAll("_", " ")),
    cell("Left", left > 0 ? ticking(one.ends_at, "left") : "none: it has ended", renewed && el("span", { class: "quiet" }, ", ", renewed)),
    cell("Ends", moment(one.ends_at)));
}

function show_accounts(state) {
  const accounts = [...(state.status.accounts ?? [])].sort((a, b) => account_order.indexOf(a.state) - account_order.indexOf(b.state));
  const credentials = [...(state.status.credentials ?? [])].sort((a, b) => (a.ends_at < b.ends_at ? -1 : 1));
  const failing = accounts.filter((account) => account.state !== "ok").length;
  by_id("badge-accounts").hidden = failing === 0;
  show(by_id("badge-accounts"), count(failing), el("span", { class: "unseen" }, " in trouble"));
  if (by_id("panel-accounts").hidden) return;
  show(by_id("accounts-list"), el("h2", {}, "Accounts"),
    accounts.length ? table("What the account watch saw last", ["Account", "State", "What fails", "Looked at"], accounts.map(account_row), { class: "cards", caption: "unseen" })
      : el("p", { class: "empty" }, advised("The account watch has not looked yet. `watch` in the configuration makes it look; `relayd doctor` looks now.")),
    credentials.length > 0 && [el("h2", {}, "What they log in with"),
      table("When it ends", ["Account", "What", "Left", "Ends"], credentials.map(credential_row), { class: "cards", caption: "unseen" })]);
}
