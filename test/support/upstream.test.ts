import { describe, expect, test } from "bun:test";
import { flood, held, inTurn, json, thenWhenIdle, sse, hangBeforeHeaders } from "./answers.ts";
import { post, requestBytes, send, sendRaw } from "./client.ts";
import { textFrames, textStream } from "./made-streams.ts";
import { writeSse } from "./sse-text.ts";
import { startUpstream } from "./upstream.ts";

const PATH = "/v1/messages";

describe("the scripted upstream", () => {
  test("records a request byte for byte, with its headers in order and its credential", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(json(200, {}));
    const body = '{"n":12345678901234567890,"t":"\\ud800"}';
    await post(upstream.url, `${PATH}?beta=true`, body, {
      key: "one",
      headers: [
        ["X-First", "1"],
        ["x-second", "2"],
        ["X-First", "3"],
      ],
    });
    await post(upstream.url, PATH, body, {
      chunkBytes: 3,
      headers: [
        ["x-api-key", "two"],
        ["authorization", "Bearer one"],
      ],
    });
    const [first, second] = upstream.requests;
    expect([first?.method, first?.path, first?.target, first?.credential, first?.framing]).toEqual([
      "POST",
      PATH,
      `${PATH}?beta=true`,
      "one",
      "length",
    ]);
    expect(first?.headers.slice(-3)).toEqual([
      ["X-First", "1"],
      ["x-second", "2"],
      ["X-First", "3"],
    ]);
    expect([first?.body.toString(), second?.body.toString()]).toEqual([body, body]);
    expect([second?.credential, second?.framing]).toEqual(["two", "chunked"]);
  });

  test("chooses by path, credential and count, the latest rule first", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(json(200, { rule: "otherwise" }));
    upstream.when({ path: PATH }, json(200, { rule: "path" }));
    upstream.when({ credential: "two" }, json(200, { rule: "two" }));
    upstream.when({ credential: "two", nth: 2 }, json(200, { rule: "two, second" }));
    upstream.when({ path: /tokens$/, nth: (nth) => nth > 1 }, json(200, { rule: "tokens, later" }));
    const ask = async (path: string, key: string): Promise<unknown> =>
      (await post(upstream.url, path, {}, { key })).json();
    expect(await ask("/other", "one")).toEqual({ rule: "otherwise" });
    expect(await ask(PATH, "one")).toEqual({ rule: "path" });
    expect(await ask(PATH, "two")).toEqual({ rule: "two" });
    expect(await ask(PATH, "two")).toEqual({ rule: "two, second" });
    expect(await ask(PATH, "two")).toEqual({ rule: "two" });
    expect(await ask("/tokens", "one")).toEqual({ rule: "otherwise" });
    expect(await ask("/tokens", "one")).toEqual({ rule: "tokens, later" });
  });

  test("gives answers in turn and keeps to the last", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(inTurn(json(500, {}), json(429, {}), json(200, {})));
    const statuses: number[] = [];
    for (let count = 0; count < 5; count += 1) statuses.push((await post(upstream.url, PATH, {})).status);
    expect(statuses).toEqual([500, 429, 200, 200, 200]);
  });

  test("counts what is under way for all and for each account", async () => {
    await using upstream = await startUpstream();
    const gate = held(json(200, {}));
    upstream.otherwise(gate.answer);
    const replies = ["a", "a", "b", "a"].map((key) => post(upstream.url, PATH, {}, { key }));
    while (gate.waiting < 4) await Bun.sleep(1);
    expect([upstream.active, upstream.account("a").active, upstream.account("b").active]).toEqual([4, 3, 1]);
    gate.release();
    await Promise.all(replies);
    expect([upstream.active, upstream.peak, upstream.account("a").peak, upstream.account("b").peak]).toEqual([
      0, 4, 3, 1,
    ]);
    await post(upstream.url, PATH, {}, { key: "a" });
    expect([upstream.peak, upstream.account("a").requests.length, upstream.connections]).toEqual([4, 4, 5]);
    upstream.clear();
    expect([upstream.peak, upstream.requests.length]).toEqual([0, 0]);
  });

  test("stops counting a request before its last bytes leave, so that the next one is never seen beside it", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(sse(textStream("messages", ["a", "b"])));
    const worker = async (): Promise<void> => {
      for (let count = 0; count < 50; count += 1) await post(upstream.url, PATH, {});
    };
    await Promise.all([worker(), worker(), worker()]);
    expect(upstream.requests.length).toBe(150);
    expect(upstream.peak).toBeLessThanOrEqual(3);
  });

  test("counts an answer as ended when its last bytes are handed over, not when they are taken", async () => {
    await using upstream = await startUpstream();
    const seen: number[] = [];
    upstream.otherwise(async (_request, connection) => {
      await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
      seen.push(upstream.active);
      const handedOver = connection.finish("ok");
      seen.push(upstream.active);
      await handedOver;
    });
    expect((await post(upstream.url, PATH, {})).text()).toBe("ok");
    expect(seen).toEqual([1, 0]);
  });

  test("breaks off an answer that waits or writes when the client leaves", async () => {
    await using upstream = await startUpstream();
    const ended: string[] = [];
    upstream.otherwise(async (request, connection) => {
      try {
        await (request.path === "/wait"
          ? connection.sleep(60_000)
          : flood(Buffer.from("data: x\n\n")).answer(request, connection));
      } finally {
        ended.push(request.path);
      }
    });
    for (const path of ["/wait", "/write"])
      await post(upstream.url, path, {}, { leaveAfterMs: 30, read: "never" });
    await Bun.sleep(50);
    expect(ended).toEqual(["/wait", "/write"]);
  });

  test("answers pipelined requests of one connection one after another", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise((request, connection) =>
      json(
        200,
        { path: request.path },
        {},
        { headDelayMs: request.path === "/a" ? 30 : 0 },
      )(request, connection),
    );
    const bytes = Buffer.concat(["/a", "/b"].map((path) => requestBytes("x", { path, body: {} })));
    const exchange = sendRaw(upstream.url, [bytes]);
    await exchange.reply;
    expect((await exchange.reply).json()).toEqual({ path: "/a" });
    expect([upstream.requests.length, upstream.peak, upstream.connections]).toEqual([2, 2, 1]);
    await upstream.idle();
  });

  test("can answer before the body has come", async () => {
    await using upstream = await startUpstream();
    upstream.when({ at: "head" }, json(413, {}));
    const head = "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{";
    expect((await sendRaw(upstream.url, [head]).reply).status).toBe(413);
  });

  test("notices at once that a client has left, and says so of the request", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(sse(textStream("messages", ["a"]), { end: "hang" }));
    for (const leaveBy of ["fin", "rst"] as const) {
      upstream.clear();
      upstream.otherwise(sse(textStream("messages", ["a"]), { end: "hang" }));
      const exchange = send(upstream.url, { path: PATH, body: {} });
      expect(await exchange.has("message_stop")).toBe(true);
      const leftAt = Date.now();
      exchange.leave(leaveBy);
      await upstream.idle();
      const [request] = upstream.requests;
      expect([request?.state, upstream.active, upstream.openConnections]).toEqual(["abandoned", 0, 0]);
      expect((request?.endedAt ?? 0) - leftAt).toBeLessThan(100);
    }
  });

  test("does something to the idle connection after a good answer", async () => {
    await using upstream = await startUpstream();
    const fetched = async (): Promise<string> =>
      (await fetch(upstream.url, { method: "POST", body: "{}" })).text();
    for (const act of [
      "fin",
      "rst",
      Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate"),
    ] as const) {
      upstream.clear();
      upstream.otherwise(thenWhenIdle(json(200, "good"), 5, act));
      expect(await fetched()).toBe("good");
      await Bun.sleep(30);
      if (typeof act === "string") expect(upstream.openConnections).toBe(0);
    }
  });

  test("can refuse a connection before anything is read", async () => {
    await using upstream = await startUpstream();
    upstream.onConnection((connection) => connection.reset());
    expect((await post(upstream.url, PATH, {})).end).toBe("rst");
    expect(upstream.requests.length).toBe(0);
  });

  test("floods a reader only as far as the reader and the kernel take it", async () => {
    await using upstream = await startUpstream();
    const frames = textFrames("messages");
    const start = writeSse([...frames.start, ...frames.open]);
    const flooding = flood(writeSse([frames.delta("x".repeat(100))]), { start });
    upstream.otherwise(flooding.answer);
    const stuck = send(upstream.url, { path: PATH, body: {} }, { read: "never" });
    await Bun.sleep(150);
    const taken = flooding.takenBytes;
    await Bun.sleep(150);
    expect(flooding.takenBytes).toBe(taken);
    expect(taken).toBeGreaterThan(100_000);
    expect(taken).toBeLessThan(16_000_000);
    stuck.resume();
    while (flooding.takenBytes < taken + 32_000_000) await Bun.sleep(1);
    stuck.leave("rst");
  });
});

describe("closing the upstream", () => {
  test("throws when a request is still under way", async () => {
    const upstream = await startUpstream({ idleWithinMs: 50 });
    upstream.otherwise(hangBeforeHeaders());
    const exchange = send(upstream.url, { path: PATH, body: {} });
    while (upstream.active === 0) await Bun.sleep(1);
    await expect(upstream.close()).rejects.toThrow(
      "still has 1 requests under way: POST /v1/messages (answering)",
    );
    await exchange.reply;
  });

  test("throws when no rule fitted, when an answer failed, and when a request was no HTTP", async () => {
    const unruled = await startUpstream();
    expect((await post(unruled.url, PATH, {})).end).toBe("rst");
    await expect(unruled.close()).rejects.toThrow("no rule fits");
    const failing = await startUpstream();
    failing.otherwise(() => {
      throw new Error("a mistake in the test");
    });
    await post(failing.url, PATH, {});
    await expect(failing.close()).rejects.toThrow("a mistake in the test");
    const garbled = await startUpstream();
    await sendRaw(garbled.url, ["GET / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"])
      .reply;
    await expect(garbled.close()).rejects.toThrow("content-length and transfer-encoding");
  });

  test("is quiet when everything was answered, also with connections kept open", async () => {
    const upstream = await startUpstream();
    upstream.otherwise(json(200, "ok"));
    await (await fetch(upstream.url)).text();
    expect(upstream.openConnections).toBe(1);
    await upstream.close();
    expect((await post(upstream.url, PATH, {})).end).toBe("refused");
  });
});
