import { describe, expect, test } from "bun:test";
import { drip, flood, json, sse } from "./answers.ts";
import { get, post, send, sendRaw } from "./client.ts";
import { textStream } from "./made-streams.ts";
import { closedPort } from "./ports.ts";
import { startUpstream } from "./upstream.ts";

const PATH = "/v1/messages";
const STREAM = textStream("messages", ["one", "two", "three"]);

describe("the raw client", () => {
  test("reads a whole answer and its events", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(sse(STREAM));
    const reply = await post(upstream.url, PATH, { a: 1 }, { key: "k" });
    expect([reply.status, reply.end, reply.framing, reply.text()]).toEqual([
      200,
      "complete",
      "chunked",
      STREAM.toString(),
    ]);
    expect(reply.events().at(-1)).toEqual({ event: "message_stop", data: '{"type":"message_stop"}' });
    expect(reply.raw.toString()).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(reply.headAtMs).toBeLessThanOrEqual(reply.endAtMs);
    expect(upstream.requests[0]?.header("authorization")).toBe("Bearer k");
  });

  test("lets headers of the test replace its own, and sends no body with GET", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(json(200, {}));
    await get(upstream.url, "/x", { headers: [["Host", "evil.test"]] });
    const [request] = upstream.requests;
    expect([request?.method, request?.headers, request?.body.length]).toEqual([
      "GET",
      [["Host", "evil.test"]],
      0,
    ]);
  });

  test("leaves at exactly the byte asked for", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(sse(STREAM, { chunking: 10, end: "hang" }));
    for (const leaveAtByte of [1, 37, STREAM.length]) {
      const reply = await post(upstream.url, PATH, {}, { leaveAtByte, leaveBy: "rst" });
      expect([reply.end, reply.body.equals(STREAM.subarray(0, leaveAtByte))]).toEqual(["stopped", true]);
      await upstream.idle();
    }
    expect(upstream.requests.map((request) => request.state)).toEqual([
      "abandoned",
      "abandoned",
      "abandoned",
    ]);
  });

  test("leaves after a time, before any answer", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(sse(STREAM, { headDelayMs: 5000 }));
    const reply = await post(upstream.url, PATH, {}, { leaveAfterMs: 30 });
    expect([reply.end, reply.status]).toEqual(["stopped", 0]);
    expect(reply.endAtMs).toBeLessThan(1000);
    await upstream.idle();
  });

  test("can close its half and still read the answer", async () => {
    const seen: string[] = [];
    const { promise: listening, resolve: listen } = Promise.withResolvers<number>();
    const { createServer } = await import("node:net");
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("data", () => seen.push("request"));
      socket.on("end", () => {
        seen.push("half closed");
        socket.end("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate");
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      listen(typeof address === "object" && address !== null ? address.port : 0);
    });
    const reply = await send(
      `http://127.0.0.1:${await listening}`,
      { path: PATH, body: {} },
      { halfClose: true },
    ).reply;
    expect([reply.end, reply.text(), seen]).toEqual(["complete", "late", ["request", "half closed"]]);
    server.close();
  });

  test("reads nothing when told so, until it resumes", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(sse(STREAM));
    const exchange = send(upstream.url, { path: PATH, body: {} }, { read: "never" });
    await upstream.idle();
    await Bun.sleep(30);
    expect([upstream.requests[0]?.state, exchange.receivedBytes]).toEqual(["answered", 0]);
    exchange.resume();
    expect((await exchange.reply).text()).toBe(STREAM.toString());
  });

  test("reads slowly when told so", async () => {
    await using upstream = await startUpstream();
    const flooding = flood(Buffer.from(`data: ${"x".repeat(100)}\n\n`));
    upstream.otherwise(flooding.answer);
    const exchange = send(upstream.url, { path: PATH, body: {} }, { read: 4_000_000, timeoutMs: 500 });
    const reply = await exchange.reply;
    expect(reply.end).toBe("timeout");
    expect(exchange.receivedBytes).toBeGreaterThan(100_000);
    expect(exchange.receivedBytes).toBeLessThan(6_000_000);
  });

  test("waits for a text and says when it never came", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(sse(STREAM, { delayMs: 5 }));
    const exchange = send(upstream.url, { path: PATH, body: {} });
    expect(await exchange.has("two")).toBe(true);
    expect(await exchange.has("four")).toBe(false);
    expect((await exchange.reply).end).toBe("complete");
  });

  test("times out, and tells a refused connection from a broken one", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(drip("data: x\n\n", 10));
    const reply = await post(upstream.url, PATH, {}, { timeoutMs: 60 });
    expect(reply.end).toBe("timeout");
    expect(reply.body.length).toBeGreaterThan(0);
    expect((await get(`http://127.0.0.1:${await closedPort()}`, "/")).end).toBe("refused");
  });

  test("takes garbage for garbage, and sends it too", async () => {
    const { createServer } = await import("node:net");
    const received: Buffer[] = [];
    const server = createServer((socket) => {
      socket.on("data", (bytes: Buffer) => {
        received.push(bytes);
        socket.write("220 smtp ready\r\n\r\n");
      });
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const reply = await sendRaw(`http://127.0.0.1:${port}`, ["BREW / HTCPCP/1.0\r\n\r\n"]).reply;
    expect([reply.end, reply.status]).toEqual(["malformed", 0]);
    expect(reply.problem).toContain("220 smtp ready");
    expect(Buffer.concat(received).toString()).toBe("BREW / HTCPCP/1.0\r\n\r\n");
    server.close();
  });
});
