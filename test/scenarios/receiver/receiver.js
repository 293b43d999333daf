// A receiver of webhooks: verifies each request with the library of Standard Webhooks and prints it as a line of
// JSON; answers as the next line of its input says, "STATUS [LOCATION]", or else with 204.
//
//   receiver.js PORT CERTIFICATE KEY SECRET…   (port 0: one that is free; its first line names it)
"use strict";

const fs = require("fs");
const https = require("https");
const readline = require("readline");
const { Webhook } = require("standardwebhooks");

const [port, certificate, key, ...secrets] = process.argv.slice(2);
const answers = [];

// For each secret, whether the request verifies with it.
function verified(headers, body) {
  return secrets.map((secret) => {
    try {
      new Webhook(secret).verify(body, headers);
      return true;
    } catch (error) {
      return false;
    }
  });
}

function serve(request, response) {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts).toString();
    const [status, location] = answers.shift() || [204];
    console.log(JSON.stringify({
      method: request.method, url: request.url, headers: request.headers, status: Number(status),
      verified: verified(request.headers, body), octets: Buffer.byteLength(body), body: JSON.parse(body),
    }));
    response.writeHead(Number(status), location ? { location } : {});
    response.end();
  });
}

const server = https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }, serve);
server.listen(Number(port), "127.0.0.1", () => {
  console.log(JSON.stringify({ port: server.address().port }));
  const input = readline.createInterface({ input: process.stdin });
  input.on("line", (line) => {
    answers.push(line.split(" "));
    console.log(JSON.stringify({ told: line }));
  });
  input.on("close", () => process.exit(0));
});
