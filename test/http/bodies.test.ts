// Request bodies: how large, how compressed, and that what is refused is not read on.
import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { post, type Reply } from "../support/client.ts";
import { account, CLIENT_KEY } from "../support/gateway-config.ts";
import type { Gateway } from "../support/gateway.ts";
import { pick, pickText } from "../support/json-pick.ts";
import { ask } from "../support/made-streams.ts";
import { judge } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { PATHS } from "../support/samples.ts";
import { pair, type Pair } from "./pair.ts";

const LIMIT = 100_000;
const PATH = PATHS.messages;

function limited(): Promise<Pair> {
  return pair(provider(), (url) => [account("first", url)], { max_body_size: LIMIT });
}

function messageOf(reply: Reply): string {
  return pickText(reply.json(), "error", "message") ?? "";
}

/** A body of exactly this many bytes. */
function bodyOf(bytes: number): string {
  const empty = JSON.stringify(ask("messages", { stream: false, text: "" }));
  return JSON.stringify(ask("messages", { stream: false, text: "x".repeat(bytes - empty.length) }));
}

describe("a body's size", () => {
  test("may be max_body_size and not a byte more, with a length or in chunks", async () => {
    await using on = await limited();
    for (const chunkBytes of [undefined, 7000]) {
      const how = { key: CLIENT_KEY, ...(chunkBytes !== undefined && { chunkBytes }) };
      const fits = await post(on.gateway.url, PATH, bodyOf(LIMIT), how);
      expect([fits.status, judge("messages", fits).complete]).toEqual([200, true]);
      expect(on.upstream.requests.at(-1)?.body.toString()).toBe(bodyOf(LIMIT));
      const over = await post(on.gateway.url, PATH, bodyOf(LIMIT + 1), how);
      expect([over.status, over.end, over.header("connection")]).toEqual([413, "complete", "close"]);
      expect(messageOf(over)).toBe(`gateway_body_too_large: the body is larger than ${LIMIT} bytes`);
    }
    expect(on.upstream.requests.length).toBe(2);
  });

  const zeros = Buffer.alloc(65_536, "0");
  const pours: readonly (readonly [string, string, Buffer])[] = [
    ["with a length", "content-length: 1000000000", zeros],
    [
      "in chunks",
      "transfer-encoding: chunked",
      Buffer.concat([Buffer.from("10000\r\n"), zeros, Buffer.from("\r\n")]),
    ],
  ];
  test.each(pours)(
    "over the limit is not read on, and the connection ends, %s",
    async (_how, framing, piece) => {
      await using on = await limited();
      const head = `POST ${PATH} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${CLIENT_KEY}\r\n${framing}\r\n\r\n`;
      const { closed, taken, text } = await pour(on.gateway.url, head, piece);
      expect(closed).toBe(true);
      // What the kernel takes on both sides before anybody reads; the client would go on for ever.
      expect(taken).toBeLessThan(64 << 20);
      expect(text).toStartWith("HTTP/1.1 413 ");
      expect(on.upstream.requests.length).toBe(0);
    },
  );
});

interface Poured {
  /** By the other side. */
  readonly closed: boolean;
  readonly taken: number;
  readonly text: string;
}

/** Writes the piece over and over until the other side closes; gives up after 5 s. */
async function pour(url: string, head: string, piece: Buffer): Promise<Poured> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port), noDelay: true });
  const got: Buffer[] = [];
  const ended = Promise.withResolvers<"closed">();
  let taken = 0;
  socket.on("data", (bytes: Buffer) => void got.push(bytes));
  for (const event of ["end", "error", "close"]) socket.on(event, () => ended.resolve("closed"));
  socket.write(head);
  const late = Bun.sleep(5000).then(() => "late" as const);
  for (;;) {
    const written = new Promise<"written">((resolve) => {
      socket.write(piece, (error) => (error ? undefined : resolve("written")));
    });
    const next = await Promise.race([ended.promise, late, written]);
    if (next === "written") taken += piece.length;
    else {
      socket.destroy();
      return { closed: next === "closed", taken, text: Buffer.concat(got).toString() };
    }
  }
}

const CODINGS: readonly (readonly [string, (bytes: Uint8Array) => Buffer])[] = [
  ["gzip", gzipSync],
  ["x-gzip", gzipSync],
  ["zstd", zstdCompressSync],
  ["deflate", deflateSync],
  ["br", brotliCompressSync],
];

function encoded(gateway: Gateway, coding: string, body: Buffer): Promise<Reply> {
  return post(gateway.url, PATH, body, { key: CLIENT_KEY, headers: [["Content-Encoding", coding]] });
}

describe("a body's content-encoding", () => {
  test.each(CODINGS)("%s is undone, and not named to the upstream", async (coding, compress) => {
    await using on = await limited();
    const plain = bodyOf(LIMIT);
    for (const name of [coding, coding.toUpperCase(), ` ${coding} `]) {
      const reply = await encoded(on.gateway, name, compress(Buffer.from(plain)));
      expect([reply.status, judge("messages", reply).complete]).toEqual([200, true]);
      const sent = on.upstream.requests.at(-1);
      expect(sent?.body.equals(Buffer.from(plain))).toBe(true);
      expect(sent?.header("content-encoding")).toBeUndefined();
      expect(sent?.header("content-length")).toBe(String(plain.length));
    }
  });

  test.each(CODINGS)("%s is inflated to max_body_size and no further", async (coding, compress) => {
    await using on = await limited();
    for (const size of [LIMIT + 1, 50_000_000]) {
      const bomb = compress(Buffer.from(bodyOf(size)));
      const reply = await encoded(on.gateway, coding, bomb);
      expect([reply.status, messageOf(reply)]).toEqual([
        413,
        `gateway_body_too_large: the body is larger than ${LIMIT} bytes`,
      ]);
    }
    expect(on.upstream.requests.length).toBe(0);
  });

  test.each(CODINGS)("%s that is broken or cut is the client's fault", async (coding, compress) => {
    await using on = await limited();
    const whole = compress(Buffer.from(bodyOf(5000)));
    for (const body of [
      Buffer.from(bodyOf(5000)),
      whole.subarray(0, whole.length / 2),
      Buffer.from([1, 2, 3]),
    ]) {
      const reply = await encoded(on.gateway, coding, body);
      expect(reply.status).toBe(400);
      expect(messageOf(reply)).toStartWith("gateway_invalid_request: the body is not ");
    }
    expect(on.upstream.requests.length).toBe(0);
  });

  test("that is unknown or stacked is refused; identity is none", async () => {
    await using on = await limited();
    const plain = Buffer.from(bodyOf(500));
    for (const coding of ["compress", "gzip, gzip", "gzip, br", "__proto__", "toString", "*"]) {
      const reply = await encoded(on.gateway, coding, gzipSync(gzipSync(plain)));
      expect([coding, reply.status]).toEqual([coding, 400]);
      expect(messageOf(reply)).toStartWith("gateway_invalid_request: ");
    }
    expect(on.upstream.requests.length).toBe(0);
    for (const coding of ["identity", "IDENTITY", ""])
      expect([coding, (await encoded(on.gateway, coding, plain)).status]).toEqual([coding, 200]);
  });

  test("is no way around the limit of the compressed bytes themselves", async () => {
    await using on = await limited();
    const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)));
    const body = gzipSync(Buffer.concat([noise, noise.toReversed()]));
    const reply = await encoded(on.gateway, "gzip", body);
    expect([reply.status, pick(reply.json(), "error", "type")]).toEqual([413, "request_too_large"]);
  });
});
