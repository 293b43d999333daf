"use strict";
// The tabs, and the start. The fragment says which view: "#now", "#lanes?…", "#mail?…", "#mail/ID".

const views = ["now", "lanes", "mail", "captured", "accounts", "explain"];

function place_now() {
  const [path, query = ""] = location.hash.slice(1).split("?", 2);
  const [view, rest = ""] = path.split("/", 2);
  let id = rest;
  try {
    id = decodeURIComponent(rest);
  } catch {
    // It is shown as it is, and nobody knows it.
  }
  return { view: views.includes(view) ? view : "now", id, query: new URLSearchParams(query) };
}

function open_view() {
  const { view, id, query } = place_now();
  for (const name of views) {
    const tab = by_id("tab-" + name), is_it = name === view;
    tab.setAttribute("aria-selected", String(is_it));
    tab.tabIndex = is_it ? 0 : -1;
    by_id("panel-" + name).hidden = !is_it;
  }
  if (view !== "mail" || !id) message_id = "";
  if (view === "lanes") open_lanes(query);
  if (view === "mail") id ? open_message(id) : open_mail(query);
  if (view === "captured") id ? open_captured_message(id) : open_captured(query);
  if (state.status) show_state();
  if (view === "now") draw_charts();
}

function begin_tabs() {
  by_id("tabs").addEventListener("keydown", (event) => {
    const tabs = views.map((name) => by_id("tab-" + name)).filter((tab) => !tab.hidden);
    const at = tabs.indexOf(document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || next === undefined) {
      if (event.key === " ") event.preventDefault(), document.activeElement.click();
      return;
    }
    event.preventDefault();
    const tab = tabs[next % tabs.length];
    tab.focus();
    tab.click();
  });
  by_id("skip").addEventListener("click", (event) => {
    event.preventDefault();
    by_id("content").focus();
  });
  addEventListener("hashchange", open_view);
  document.addEventListener("visibilitychange", tick);
}

begin_tabs();
begin_charts();
begin_lanes();
begin_mail();
begin_captured();
begin_explain();
open_view();
begin_live();
