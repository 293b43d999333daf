// Stands in for relayd's HTTP API, so that the page can be tested without a relay: serves the one document with its
// content security policy, answers from values that a test gives, and records what was asked.
"use strict";

const crypto = require("crypto");
const fs = require("fs");
const http = require("http");
const path = require("path");

const FOLDER = path.join(__dirname, "../../lib/watch/page");
const TOKEN = "canary-token";

function read(name) {
  return fs.readFileSync(path.join(FOLDER, name), "utf8");
}

function hash(text) {
  return `'sha256-${crypto.createHash("sha256").update(text).digest("base64")}'`;
}

// The page with style and scripts in it, as relayd serves it. Trusted Types make any innerHTML an error.
function whole_document() {
  const styles = [], scripts = [];
  const html = read("page.html")
    .replace(/<link rel="stylesheet" href="([\w.]+)">/g, (_, name) => {
      styles.push(hash(read(name)));
      return `<style>${read(name)}</style>`;
    })
    .replace(/<script src="([\w.]+)"><\/script>/g, (_, name) => {
      scripts.push(hash(read(name)));
      return `<script>${read(name)}</script>`;
    });
  const policy = `default-src 'none'; script-src ${scripts.join(" ")}; style-src ${styles.join(" ")}; ` +
    "img-src 'self' data:; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; " +
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
  return { html, policy };
}

function lines(rows, end) {
  return [...rows, { end: true, count: rows.length, ...end }].map((row) => JSON.stringify(row) + "\n").join("");
}

function refuse(response, status, error) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ error }));
}

class StandIn {
  // `answers`: {status, lanes, series, queue(query), message(id), history(query), explain(query), act(deed, body),
  // captured(path, query): {status, headers, body}, clear(body)}.
  constructor(answers) {
    this.answers = answers;
    this.guarded = false; // whether it is read with the token alone
    this.read_only = false; // whether it has no token
    this.asked = []; // {method, path, query, body, token}
    this.streams = new Set();
    this.document = whole_document();
    this.server = http.createServer((request, response) => this.take(request, response));
  }

  listen(port = 0) {
    return new Promise((resolve) => this.server.listen(port, "127.0.0.1", () => {
      this.port = this.server.address().port;
      this.url = `http://127.0.0.1:${this.port}/`;
      resolve(this);
    }));
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }

  event(name, data, streams = this.streams) {
    for (const stream of streams) stream.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  take(request, response) {
    const url = new URL(request.url, this.url);
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const query = Object.fromEntries(url.searchParams);
      const body = parts.length ? JSON.parse(Buffer.concat(parts).toString()) : null;
      const token = request.headers.authorization?.slice("Bearer ".length);
      this.asked.push({ method: request.method, path: url.pathname, query, body, ...(token && { token }) });
      response.setHeader("Cache-Control", "no-store");
      response.setHeader("X-Content-Type-Options", "nosniff");
      const permitted = request.headers.authorization === `Bearer ${TOKEN}`;
      if (this.read_only && request.method === "POST") refuse(response, 403, "nothing can be changed here: the configuration has no 'token' in 'http'");
      else if (!permitted && (request.method === "POST" || (this.guarded && url.pathname.startsWith("/api/")))) refuse(response, 401, "say the token");
      else if (request.method === "POST") this.change(request, url, body, response);
      else this.get(url.pathname, query, response);
    });
  }

  get(where, query, response) {
    const json = (status, value) => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(value));
    };
    const rows = ({ rows, ...end }) => {
      response.writeHead(200, { "Content-Type": "application/x-ndjson" });
      response.end(lines(rows, end));
    };
    if (where === "/") {
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": this.document.policy });
      return response.end(this.document.html);
    }
    if (where === "/api/events")
      return this.answers.status.starting ? refuse(response, 503, "starting: the queue is being read") : this.stream(response);
    const content = /^\/api\/queue\/(\w+)\/message$/.exec(where);
    if (content) return response.writeHead(200, { "Content-Type": "application/octet-stream" }).end("Subject: x\r\n\r\nText\r\n");
    if (/^\/(api\/)?captured/.test(where)) {
      const { status = 200, headers, body } = this.answers.captured(where, query);
      return response.writeHead(status, headers).end(body);
    }
    if (where === "/api/status") return json(200, this.answers.status);
    if (where === "/api/series") return json(200, this.answers.series);
    if (where === "/api/explain") return json(200, this.answers.explain(query));
    if (where === "/api/lanes") return json(200, this.answers.some_lanes(query));
    if (where === "/api/queue") return rows(this.answers.queue(query));
    if (where === "/api/history") return rows(this.answers.history(query));
    const id = /^\/api\/queue\/(\w+)$/.exec(where);
    const message = id && this.answers.message(id[1]);
    return message ? json(200, message) : json(404, { error: "no such message" });
  }

  stream(response) {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const { status, lanes, lanes_total = Object.keys(lanes).length } = this.answers;
    this.streams.add(response);
    response.on("close", () => this.streams.delete(response));
    this.event("whole", { status, lanes, lanes_total }, [response]);
  }

  change(request, url, body, response) {
    if (request.headers["content-type"] !== "application/json") return refuse(response, 415, "say it as application/json");
    response.writeHead(200, { "Content-Type": "application/json" });
    if (url.pathname === "/api/reload") return response.end(JSON.stringify(this.answers.reload()));
    if (url.pathname === "/api/captured/clear") return response.end(JSON.stringify(this.answers.clear(body)));
    return response.end(lines(this.answers.act(url.pathname.slice("/api/".length), body)));
  }
}

module.exports = { StandIn, TOKEN };
