// The kit must not lie: every kind of ending is looked at by this kit's client, and by fetch as a second opinion.
import { describe, expect, test } from "bun:test";
import {
  answerBody,
  drip,
  empty,
  hangBeforeHeaders,
  hangUp,
  headersOnly,
  html,
  interim,
  json,
  raw,
  redirect,
  reset,
  sse,
  type BodyEnd,
  type SseOptions,
} from "./answers.ts";
import { get, post, type Reply, type ReplyEnd } from "./client.ts";
import { readSse, withLineEnds } from "./sse-text.ts";
import { sampleStream } from "./samples.ts";
import { startUpstream, type Answer, type RequestState } from "./upstream.ts";

const STREAM = sampleStream("messages", "text");

interface Seen {
  readonly reply: Reply;
  readonly state: RequestState | undefined;
  readonly fetched: string;
}

/** Long enough for what is sent at once to arrive also on a busy machine. */
const HANGING_MS = 400;

/** Asks twice: once with the raw client, once with fetch. */
async function see(answer: Answer, timeoutMs = 5000): Promise<Seen> {
  await using upstream = await startUpstream();
  upstream.otherwise(answer);
  const reply = await post(upstream.url, "/v1/messages", {}, { timeoutMs });
  await upstream.idle();
  const state = upstream.requests[0]?.state;
  const signal = AbortSignal.timeout(timeoutMs);
  const fetched = await fetch(`${upstream.url}/v1/messages`, {
    method: "POST",
    body: "{}",
    signal,
    redirect: "manual",
  })
    .then(async (response) => `${response.status} ${(await response.arrayBuffer()).byteLength}`)
    .catch((error: unknown) => (signal.aborted ? "timeout" : `error ${String(error)}`));
  await upstream.idle();
  return { reply, state, fetched };
}

describe("a stream that", () => {
  const rows: readonly [BodyEnd, SseOptions, ReplyEnd, RequestState, string | RegExp][] = [
    ["clean", {}, "complete", "answered", `200 ${STREAM.length}`],
    ["fin", {}, "fin", "broken", /^error/],
    ["rst", {}, "rst", "broken", /^error/],
    ["hang", {}, "timeout", "abandoned", "timeout"],
    ["short-length", {}, "fin", "broken", /^error/],
    ["bad-chunk", {}, "malformed", "abandoned", /^error/],
  ];
  for (const [end, options, replyEnd, state, fetched] of rows) {
    for (const cutAt of [undefined, 0, 700]) {
      test(`ends by ${end} after ${cutAt ?? "all"} bytes is seen so, with exactly those bytes`, async () => {
        const cut = cutAt === undefined ? {} : { cutAt };
        const seen = await see(
          sse(STREAM, { ...options, ...cut, end }),
          end === "hang" ? HANGING_MS : undefined,
        );
        expect(seen.reply.status).toBe(200);
        expect(seen.reply.end).toBe(replyEnd);
        expect(seen.state).toBe(state);
        expect(seen.reply.body.equals(STREAM.subarray(0, cutAt))).toBe(true);
        if (end === "clean") expect(seen.fetched).toBe(`200 ${cutAt ?? STREAM.length}`);
        else expect(seen.fetched).toMatch(fetched);
      });
    }
  }

  test("has a body longer than its length leaves the surplus after a complete answer", async () => {
    const { reply } = await see(sse(STREAM, { end: "long-length" }));
    expect(reply.end).toBe("complete");
    expect(reply.body.length).toBe(STREAM.length - 10);
    expect(reply.raw.subarray(-STREAM.length).equals(STREAM)).toBe(true);
  });

  test("is framed by the close of the connection is complete with it, and cut by a reset", async () => {
    const whole = await see(sse(STREAM, { framing: "close" }));
    expect([whole.reply.end, whole.reply.framing, whole.state]).toEqual(["complete", "close", "answered"]);
    expect(whole.reply.body.equals(STREAM)).toBe(true);
    expect((await see(sse(STREAM, { framing: "close", end: "rst" }))).reply.end).toBe("rst");
  });

  test("is cut into pieces of any size has the same bytes, in as many chunks", async () => {
    for (const [chunking, chunks] of [
      [1, STREAM.length],
      [100, Math.ceil(STREAM.length / 100)],
      ["event", readSse(STREAM).events.length],
      ["whole", 1],
    ] as const) {
      const { reply } = await see(sse(STREAM, { chunking }));
      expect(reply.body.equals(STREAM)).toBe(true);
      const framing =
        reply.raw.length - reply.raw.indexOf("\r\n\r\n") - 4 - STREAM.length - "0\r\n\r\n".length;
      expect(framing).toBeGreaterThanOrEqual(chunks * 5);
      expect(framing).toBeLessThanOrEqual(chunks * 8);
    }
  });

  test("has other line ends carries the same events", async () => {
    const { reply } = await see(sse(STREAM, { lineEnds: "\r\n" }));
    expect(reply.body.equals(withLineEnds(STREAM, "\r\n"))).toBe(true);
    expect(reply.events()).toEqual(readSse(STREAM).events);
  });

  test("is delayed takes at least that long", async () => {
    const { reply } = await see(
      sse(STREAM, { chunking: 500, headDelayMs: 20, firstDelayMs: 20, delayMs: 20 }),
    );
    expect(reply.headAtMs).toBeGreaterThanOrEqual(19);
    expect(reply.endAtMs).toBeGreaterThanOrEqual(20 + 20 + 20 * Math.floor(STREAM.length / 500) - 5);
  });
});

describe("an answer that", () => {
  test("hangs before its head gives the client nothing", async () => {
    const { reply, state, fetched } = await see(hangBeforeHeaders(), HANGING_MS);
    expect([reply.end, reply.raw.length, state, fetched]).toEqual(["timeout", 0, "abandoned", "timeout"]);
  });

  test("is only a head gives the client no body byte", async () => {
    const { reply, state } = await see(headersOnly(), HANGING_MS);
    expect([reply.status, reply.end, reply.body.length, state]).toEqual([200, "timeout", 0, "abandoned"]);
    expect(reply.header("Content-Type")).toContain("text/event-stream");
  });

  test("is a reset or a hang-up is told apart", async () => {
    expect((await see(reset())).reply.end).toBe("rst");
    expect((await see(hangUp())).reply.end).toBe("fin");
    expect((await see(hangUp())).fetched).toMatch(/^error/);
  });

  test("drips comes a byte at a time and never ends", async () => {
    const { reply } = await see(drip("abcdefghij", 5), 1000);
    expect([reply.end, reply.text()]).toEqual(["timeout", "abcdefghij"]);
    expect((await see(drip("a".repeat(1000), 10), 100)).reply.body.length).toBeLessThan(15);
  });

  test("is JSON has its length, its status and the headers asked for", async () => {
    const { reply, fetched } = await see(json(429, { a: "é" }, { "Retry-After": "7" }));
    expect([reply.status, reply.framing, reply.header("retry-after"), reply.json()]).toEqual([
      429,
      "length",
      "7",
      { a: "é" },
    ]);
    expect(reply.headers.filter(([name]) => name.toLowerCase() === "content-type")).toEqual([
      ["content-type", "application/json"],
    ]);
    expect(fetched).toBe("429 10");
  });

  test("is JSON that stops short is seen as cut", async () => {
    expect((await see(json(200, { a: 1 }, {}, { end: "short-length", cutAt: 3 }))).reply.end).toBe("fin");
    expect((await see(json(200, { a: 1 }, {}, { end: "rst", cutAt: 3 }))).reply.end).toBe("rst");
    expect((await see(json(200, { a: 1 }, {}, { cutAt: 3 }))).reply.text()).toBe('{"a');
  });

  test("is HTML, a redirect or without body is just that", async () => {
    expect((await see(html(502))).reply.header("content-type")).toContain("text/html");
    const redirected = await see(redirect(307, "http://trap.invalid/"));
    expect([redirected.reply.status, redirected.reply.header("location")]).toEqual([
      307,
      "http://trap.invalid/",
    ]);
    for (const status of [204, 200, 503])
      expect([(await see(empty(status))).reply.status, (await see(empty(status))).reply.end]).toEqual([
        status,
        "complete",
      ]);
  });

  test("sends interim answers first shows them apart from the last one", async () => {
    const { reply, fetched } = await see(interim([100, 103], json(200, {})));
    expect([reply.interim, reply.status, reply.end]).toEqual([[100, 103], 200, "complete"]);
    expect(fetched).toBe("200 2");
  });

  test("is raw bytes goes out as it is", async () => {
    expect((await see(raw("SSH-2.0-x\r\n\r\n", "hang"), HANGING_MS)).reply.end).toBe("malformed");
    expect((await see(raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))).reply.text()).toBe("ok");
  });

  test("has any body can stop at every byte", async () => {
    await using upstream = await startUpstream();
    for (let cutAt = 0; cutAt <= 60; cutAt += 1) {
      upstream.clear();
      upstream.otherwise(answerBody(STREAM, { cutAt, end: "fin", lingerMs: 0 }));
      const reply = await get(upstream.url, "/");
      expect([reply.end, reply.body.length]).toEqual(["fin", cutAt]);
    }
  });
});
