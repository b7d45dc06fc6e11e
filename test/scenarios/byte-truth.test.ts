// Where both sides speak the same protocol, no byte is lost, doubled or changed, however it was cut on the way.
import { expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { json } from "../support/answers.ts";
import { post } from "../support/client.ts";
import { account, CLIENT_KEY, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";
import { ask, textAnswer, textFrames } from "../support/made-streams.ts";
import { judgeStream, type Protocol } from "../support/oracle.ts";
import { MODELS, PATHS, PROTOCOLS } from "../support/samples.ts";
import { withLineEnds, writeSse, type LineEnd, type SseItem } from "../support/sse-text.ts";
import { startUpstream, type Answer } from "../support/upstream.ts";
import { seeded } from "../support/seeded.ts";
import { platformOf } from "./platform.ts";
import { expectSettled } from "./settled.ts";
import { streaming } from "./streaming.ts";

const ALL = process.env["TRUTH"] === "all";
setDefaultTimeout(ALL ? 600_000 : 60_000);

/** Each is read twice; by `npm run truth` these are more than 10^8 bytes in all. */
const STREAM_BYTES = ALL ? 20_000_000 : 10_000_000;
const LARGEST_CHUNK = 9_001;
const LETTERS = [
  ...'aZ0 \\"{}:,\n\t',
  "é",
  "漢",
  "🙂",
  "\u2028",
  "data: ",
  "[DONE]",
  "event: error",
  "\u0000",
];

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A stream of about that size, with events of very different sizes, comments and events nobody knows. */
function longStream(protocol: Protocol, random: () => number): Buffer {
  const frames = textFrames(protocol);
  const items: SseItem[] = [...frames.start, ...frames.open];
  const said: string[] = [];
  // The last events of a Responses stream say the whole text again, four times.
  const bytesPerLetter = protocol === "responses" ? 10 : 2;
  for (let size = 0; size < STREAM_BYTES;) {
    const length = Math.floor(random() ** 4 * 3_000);
    const text = Array.from({ length }, () => LETTERS[Math.floor(random() * LETTERS.length)] ?? "").join("");
    said.push(text);
    items.push(frames.delta(text));
    if (random() < 0.02) items.push({ comment: `kept alive ${said.length}` });
    size += length * bytesPerLetter + 200;
  }
  return writeSse([...items, ...frames.close(said.join(""))]);
}

/** Chunks from one byte to some thousands, without any regard for events or characters. */
function oddly(stream: Buffer, random: () => number): Answer {
  return streaming(async (send) => {
    for (let at = 0; at < stream.length;) {
      const size = 1 + Math.floor(random() ** 3 * LARGEST_CHUNK);
      await send(stream.subarray(at, at + size));
      at += size;
    }
  });
}

const LINE_ENDS: Readonly<Record<Protocol, LineEnd>> = { messages: "\n", responses: "\r\n", chat: "\r" };

for (const protocol of PROTOCOLS) {
  const lineEnd = LINE_ENDS[protocol];
  test(`${STREAM_BYTES / 1e6} MB of ${protocol} in odd chunks and lines that end in ${JSON.stringify(lineEnd)} arrive with the same SHA-256`, async () => {
    const random = seeded(10);
    const stream = withLineEnds(longStream(protocol, random), lineEnd);
    expect(stream.length).toBeGreaterThan(STREAM_BYTES * 0.9);
    await using upstream = await startUpstream();
    upstream.otherwise(oddly(stream, random));
    const platform = platformOf(protocol);
    const config = gatewayConfig([account("a", upstream.url, { platform })], {
      first_event_timeout: "10s",
      stream_read_timeout: "10s",
    });
    await using gateway = await startGateway(config);
    const replies = await Promise.all(
      ["all", 20_000_000].map((read) =>
        post(gateway.url, PATHS[protocol], ask(protocol, { stream: true }), {
          key: CLIENT_KEY,
          timeoutMs: ALL ? 500_000 : 50_000,
          read: read as "all" | number,
        }),
      ),
    );
    for (const reply of replies)
      expect([reply.status, reply.end, reply.body.length, sha256(reply.body)]).toEqual([
        200,
        "complete",
        stream.length,
        sha256(stream),
      ]);
    expect(judgeStream(protocol, replies[0]?.body ?? Buffer.alloc(0))).toMatchObject({
      complete: true,
      problems: [],
    });
    await expectSettled(gateway, replies);
    const counted = gateway.exchanges.map((record) => record.bytesOut);
    expect(counted).toEqual(replies.map(() => stream.length));
  });

  test(`a ${protocol} request of 5 MB that no JSON library would write so reaches the upstream with the same SHA-256, as its whole answer reaches the client`, async () => {
    const random = seeded(8);
    const filler = Array.from({ length: 400_000 }, () => Math.floor(random() * 1e9)).join(" , ");
    const words = '"\\ud83d alone \\u0041 \\/ caf\\u00e9 é"';
    const list = protocol === "responses" ? "input" : "messages";
    const odd = `\n{ "seed" : 12345678901234567890123 , "t":1.0E+02,"numbers":[ ${filler} ],\r\n"model"\t:"${MODELS[protocol]}","stream":false,"${list}":[{"role":"user","content":${words}}],"max_tokens":64}`;
    const whole = ` ${JSON.stringify(textAnswer(protocol, "x".repeat(2_000_000) + LETTERS.join("")), null, 3)}\n`;
    await using upstream = await startUpstream();
    upstream.otherwise(json(200, whole));
    const platform = platformOf(protocol);
    await using gateway = await startGateway(
      gatewayConfig([account("a", upstream.url, { platform })], { response_timeout: "20s" }),
    );
    const replies = [
      await post(gateway.url, PATHS[protocol], odd, { key: CLIENT_KEY }),
      await post(gateway.url, PATHS[protocol], odd, { key: CLIENT_KEY, chunkBytes: 7_919 }),
    ];
    const got = upstream.requests.map((request) => sha256(request.body));
    expect(got).toEqual([sha256(Buffer.from(odd)), sha256(Buffer.from(odd))]);
    for (const reply of replies)
      expect([reply.status, sha256(reply.body)]).toEqual([200, sha256(Buffer.from(whole))]);
    await expectSettled(gateway, replies);
  });
}
