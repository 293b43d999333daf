"use strict";
// What went through over the last hour and day, drawn by hand. The same numbers stand in a table below each drawing.

const chart_height = 150;
const chart_left = 44, chart_right = 8, chart_top = 8, chart_bottom = 20;

const charts = [
  {
    key: "flow", title: "Throughput", unit: "a minute", total: (values) => sum(values), format: count,
    lines: [
      { key: "delivered", name: "delivered", filled: true },
      { key: "accepted", name: "accepted" },
      { key: "deferred", name: "deferred", rare: true },
      { key: "failed", name: "failed", rare: true },
    ],
    value: (series, key, i) => series[key][i] * 60 / series.step,
  },
  {
    key: "latency", title: "Time in the queue", unit: "of what was delivered, on average", total: mean, format: duration,
    lines: [{ key: "seconds", name: "time in the queue", filled: true }],
    value: (series, key, i) => series[key][i],
  },
  {
    key: "waiting", title: "In the queue", unit: "messages", total: (values) => values.at(-1), format: count,
    lines: [{ key: "waiting", name: "messages", filled: true }],
    value: (series, key, i) => series[key][i],
  },
];

function sum(values) {
  return values.reduce((total, value) => total + (value ?? 0), 0);
}

function mean(values) {
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length ? sum(known) / known.length : null;
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return `${count(Math.round(seconds * 1000))} ms`;
  return seconds < 60 ? `${count(seconds)} s` : span(seconds);
}

// 1, 2 or 5 times a power of ten, or a step of the clock, that is not below.
function round_up(value, is_time) {
  if (is_time && value > 20)
    return [30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200].find((step) => step >= value) ??
      Math.ceil(value / 86400) * 86400;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999999);
}

function length_of(series) {
  return Math.max(...["accepted", "delivered", "waiting", "seconds"].map((key) => series[key]?.length ?? 0));
}

// The end of step i, in milliseconds.
function time_at(series, i) {
  return Date.parse(series.end) - (length_of(series) - 1 - i) * series.step * 1000;
}

function short_clock(time) {
  return new Date(time).toISOString().slice(11, 16);
}

// Where things stand in the drawing.
function scale_of(chart, series, width) {
  const length = length_of(series);
  let top = 0;
  for (const { key } of chart.lines)
    for (let i = 0; i < length; i++) top = Math.max(top, chart.value(series, key, i) || 0);
  const highest = round_up(Math.max(top, chart.key === "latency" ? 0.01 : 10), chart.key === "latency");
  const inner = width - chart_left - chart_right, depth = chart_height - chart_top - chart_bottom;
  return {
    length, highest, width,
    x: (i) => chart_left + (length < 2 ? inner : (i / (length - 1)) * inner),
    y: (value) => chart_top + depth * (1 - value / highest),
    index: (x) => Math.max(0, Math.min(length - 1, Math.round(((x - chart_left) / inner) * (length - 1)))),
  };
}

// Runs of known values: a step without one is a gap, and so is nothing amid nothing of what is rare.
function paths_of(chart, series, line, scale) {
  let path = "", area = "", run = [];
  const end_run = () => {
    if (!run.length) return;
    const points = run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`);
    path += `M${points.join("L")}` + (run.length === 1 ? "h.01" : "");
    area += `M${run[0][0].toFixed(1)} ${scale.y(0)}L${points.join("L")}L${run.at(-1)[0].toFixed(1)} ${scale.y(0)}Z`;
    run = [];
  };
  for (let i = 0; i < scale.length; i++) {
    const values = series[line.key] ?? [];
    const value = values[i] === null ? null : chart.value(series, line.key, i);
    const is_nothing = line.rare && !values[i - 1] && !values[i] && !values[i + 1];
    if (value === null || is_nothing || !Number.isFinite(value)) end_run();
    else run.push([scale.x(i), scale.y(value)]);
  }
  end_run();
  return [line.filled && area && svg("path", { class: `area ${line.key}`, d: area }),
    path && svg("path", { class: `line ${line.key}`, d: path })];
}

function axes_of(chart, series, scale) {
  const marks = [0, 0.5, 1].map((part) => {
    const value = part * scale.highest, y = scale.y(value);
    return [svg("line", { class: "grid", x1: chart_left, x2: scale.width - chart_right, y1: y, y2: y }),
      svg("text", { class: "axis", x: chart_left - 6, y: y + 4, "text-anchor": "end" }, chart.format(value))];
  });
  const steps = [300, 600, 900, 1800, 3600, 7200, 14400, 21600].map((seconds) => seconds * 1000);
  const begin = time_at(series, 0), end = Date.parse(series.end);
  const step = steps.find((one) => (end - begin) / one * 62 <= scale.width - chart_left) ?? steps.at(-1);
  for (let time = Math.ceil(begin / step) * step; time <= end; time += step) {
    const x = chart_left + (time - begin) / (end - begin || 1) * (scale.width - chart_left - chart_right);
    const anchor = x > scale.width - 24 ? "end" : "middle";
    marks.push(svg("line", { class: "notch", x1: x, x2: x, y1: scale.y(0), y2: scale.y(0) + 4 }),
      svg("text", { class: "axis", x, y: chart_height - 4, "text-anchor": anchor }, short_clock(time)));
  }
  return marks;
}

// What the drawing says at a step, or at its end.
function reading(chart, series, i) {
  const parts = chart.lines.map((line) => {
    const value = series[line.key]?.[i] === null ? null : chart.value(series, line.key, i);
    return chart.lines.length > 1 ? `${line.name} ${chart.format(value)}` : chart.format(value);
  });
  return `${short_clock(time_at(series, i))} UTC: ${parts.join(", ")}`;
}

function summary(chart, series) {
  return chart.lines.map(({ key, name }) => {
    const total = chart.total(series[key] ?? []);
    if (chart.key === "flow") return `${count(total)} ${name}`;
    return chart.key === "latency" ? `${duration(total)} on average` : `${count(total)} at the end`;
  }).join(", ") + ".";
}

// Twelve rows or so.
function table_of(chart, series, title) {
  const length = length_of(series), rows = [];
  const size = Math.max(1, Math.ceil(length / 12));
  for (let from = 0; from < length; from += size) {
    const to = Math.min(from + size, length);
    const values = chart.lines.map(({ key }) => chart.format(chart.total((series[key] ?? []).slice(from, to))));
    rows.push(el("tr", {}, el("th", { scope: "row" }, short_clock(time_at(series, to - 1))),
      values.map((value) => el("td", { class: "number" }, value))));
  }
  return table(`${title}, ${chart.key === "flow" ? "messages in each span" : chart.unit}`,
    ["until (UTC)", ...chart.lines.map((line) => line.name)], rows, { class: "numbers" });
}

let series_known = null; // the answer of /api/series
let series_span = "hour";
let pointed = null; // {key, i}: the step that somebody points at

function figure_of(chart, series, width) {
  const scale = scale_of(chart, series, width);
  const title = `${chart.title}, last ${series_span}`;
  const at = pointed && pointed.key === chart.key ? Math.min(pointed.i, scale.length - 1) : null;
  const cursor = at !== null && svg("line",
    { class: "cursor", x1: scale.x(at), x2: scale.x(at), y1: chart_top, y2: scale.y(0) });
  const legend = chart.lines.length > 1 && el("ul", { class: "legend" }, chart.lines.map((line) =>
    el("li", { class: line.key }, svg("svg", { viewBox: "0 0 18 6", "aria-hidden": "true" },
      svg("path", { class: `line ${line.key}`, d: "M1 3H17" })), line.name)));
  return el("figure", { "data-key": chart.key },
    el("figcaption", {}, el("h3", {}, chart.title, " ", el("small", {}, chart.unit)),
      el("output", { class: "reading" }, at === null ? "" : reading(chart, series, at)), legend),
    svg("svg", { class: "chart", role: "img", tabindex: "0", "data-chart": chart.key, width, height: chart_height,
      viewBox: `0 0 ${width} ${chart_height}`, "aria-labelledby": `title-${chart.key} desc-${chart.key}` },
      svg("title", { id: `title-${chart.key}` }, title),
      svg("desc", { id: `desc-${chart.key}` }, summary(chart, series)),
      axes_of(chart, series, scale), chart.lines.map((line) => paths_of(chart, series, line, scale)), cursor),
    el("details", {}, el("summary", {}, "As a table"), table_of(chart, series, title)));
}

function draw_charts() {
  const series = series_known && series_known[series_span];
  by_id("flow").hidden = !series;
  if (!series || by_id("panel-now").hidden) return;
  const place = by_id("charts");
  const columns = getComputedStyle(place).gridTemplateColumns.split(" ");
  show(place, charts.map((chart, i) => {
    const column = parseFloat(i === 0 ? place.clientWidth : columns.at(-1)) || place.clientWidth;
    return figure_of(chart, series, Math.max(240, Math.floor(column) - 26));
  }));
}

async function load_series() {
  try {
    series_known = await get("series");
    draw_charts();
    show_state();
  } catch {
    // The line above says that relayd is away; it is asked again when it is back.
  }
}

// One more step of the hour.
function add_point(point) {
  const hour = series_known && series_known.hour;
  if (!hour) return;
  for (const key of ["accepted", "delivered", "deferred", "failed", "waiting", "seconds"]) {
    const values = hour[key] ??= [];
    values.push(point[key] ?? (key === "seconds" ? null : 0));
    if (values.length > 240) values.shift();
  }
  hour.end = point.end ?? new Date(Date.parse(hour.end) + hour.step * 1000).toISOString();
  if (series_span === "hour") draw_charts();
  show_state(); // what was delivered in the last hour
}

function point_at(key, i) {
  pointed = key === null ? null : { key, i };
  draw_charts();
}

function begin_charts() {
  const place = by_id("charts");
  new ResizeObserver(draw_charts).observe(place);
  place.addEventListener("pointermove", (event) => {
    const drawing = event.target.closest("[data-chart]");
    if (!drawing) return pointed && point_at(null);
    const chart = charts.find(({ key }) => key === drawing.dataset.chart);
    const scale = scale_of(chart, series_known[series_span], drawing.clientWidth);
    point_at(chart.key, scale.index(event.clientX - drawing.getBoundingClientRect().left));
  });
  place.addEventListener("pointerleave", () => point_at(null));
  place.addEventListener("focusout", () => point_at(null));
  place.addEventListener("keydown", (event) => {
    const drawing = event.target.closest("[data-chart]");
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!drawing || !step) return;
    event.preventDefault();
    const last = length_of(series_known[series_span]) - 1;
    const from = pointed && pointed.key === drawing.dataset.chart ? pointed.i : last + 1;
    point_at(drawing.dataset.chart, Math.max(0, Math.min(last, from + step)));
  });
  document.addEventListener("change", (event) => {
    if (event.target.name !== "span") return;
    series_span = event.target.value;
    pointed = null;
    load_series();
    draw_charts();
  });
  setInterval(() => document.hidden || series_span === "hour" || load_series(), 300_000);
}
