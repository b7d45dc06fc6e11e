// The floor: Bun's server and Bun's fetch with nothing between them, so that what the gateway adds can be told from
// what its runtime costs. It takes the upstream's port as its argument and says its own.

import process from "node:process";

const upstream = `http://127.0.0.1:${process.argv[2]}`;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  development: false,
  async fetch(request) {
    if (request.method === "GET") return new Response("ready");
    const { pathname } = new URL(request.url);
    const headers = { "content-type": "application/json" };
    const body = await request.bytes();
    const answer = await fetch(upstream + pathname, { method: "POST", headers, body });
    const type = answer.headers.get("content-type") ?? "";
    const given = { status: answer.status, headers: { "content-type": type } };
    return new Response(type.includes("event-stream") ? answer.body : await answer.bytes(), given);
  },
});

process.stdout.write(`${JSON.stringify({ port: server.port })}\n`);
process.stdin.on("end", () => process.exit(0)).resume();
