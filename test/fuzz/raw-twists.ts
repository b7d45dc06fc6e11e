// What can be wrong with a request, by name: framing, line ends, header lines, start lines.
import type { Dice } from "./dice.ts";
import { type Draft, hex } from "./raw-drafts.ts";

type Twist = (draft: Draft, dice: Dice) => void;

/** One of these texts, as it is. */
const value =
  (...texts: readonly string[]): ((dice: Dice) => string) =>
  (dice) =>
    dice.pick(texts);

const header =
  (...lines: readonly string[]): Twist =>
  (draft, dice) =>
    void draft.headers.splice(dice.below(draft.headers.length + 1), 0, dice.pick(lines));

const length =
  (...forms: readonly ((bytes: number) => string)[]): Twist =>
  (draft, dice) => {
    draft.framing = "length";
    draft.length = dice.pick(forms);
  };

const chunked =
  (more: (draft: Draft, dice: Dice) => void = () => {}): Twist =>
  (draft, dice) => {
    draft.framing = "chunked";
    more(draft, dice);
  };

const coding = (...lines: readonly string[]): Twist =>
  chunked((draft, dice) => {
    draft.coding = dice.pick(lines);
  });

const size = (...forms: readonly ((bytes: number) => string)[]): Twist =>
  chunked((draft, dice) => {
    draft.size = dice.pick(forms);
  });

const start =
  (
    key: "method" | "target" | "version" | "gap" | "end" | "before" | "after",
    of: (dice: Dice) => string,
  ): Twist =>
  (draft, dice) => {
    draft[key] = of(dice);
  };

const target =
  (change: (target: string) => string): Twist =>
  (draft) => {
    draft.target = change(draft.target);
  };

const many =
  (count: number): Twist =>
  (draft) => {
    for (let at = 0; at < count; at += 1) draft.headers.push(`x-${at}: 1`);
  };

/** Framing with both kinds, the length of one or of the other. */
const both: Twist = chunked((draft, dice) => {
  const lengths = [draft.body.length, draft.body.length + 14, 0, 5];
  draft.headers.splice(dice.below(4), 0, `Content-Length: ${dice.pick(lengths)}`);
});

export const TWISTS: Readonly<Record<string, Twist>> = {
  "length twice": (draft, dice) => {
    const other = dice.pick([draft.body.length, 3, 0]);
    draft.headers.push(`Content-Length: ${other}`);
  },
  "length as a list": length(
    (n) => `${n}, ${n}`,
    (n) => `${n},3`,
    (n) => `${n},`,
    (n) => `,${n}`,
  ),
  "length with a sign": length(
    (n) => `+${n}`,
    (n) => `-${n}`,
    (n) => `0x${hex(n)}`,
    (n) => `${n}e0`,
    (n) => `${n}.0`,
  ),
  "length with zeros": length(
    (n) => `0${n}`,
    (n) => `00000000000000000000000000000000${n}`,
  ),
  "length with spaces": length(
    (n) => `\t${n}`,
    (n) => `${n} `,
    (n) => `${n} 3`,
    (n) => `3 ${n}`,
    (n) => `\v${n}`,
  ),
  "length too large": length(
    () => "99999999999999999999",
    (n) => String(2n ** 64n + BigInt(n)),
    () => "4294967296",
  ),
  "length that is none": length(
    () => "",
    () => "x",
    (n) => `${n}x`,
    (n) => `"${n}"`,
    () => "NaN",
  ),
  "length too short": length(
    (n) => String(n - 1),
    () => "0",
    () => "1",
  ),
  "length too long": length(
    (n) => String(n + 1),
    (n) => String(n + 40),
  ),
  "length under another name": (draft) => {
    draft.framing = "none";
    draft.headers.push(`Content_Length: ${draft.body.length}`);
  },
  "no framing": (draft) => {
    draft.framing = "none";
  },
  "length and chunks": both,
  chunked: chunked(),
  "coding in capitals": coding(
    "Transfer-Encoding: CHUNKED",
    "TRANSFER-ENCODING: Chunked",
    "transfer-encoding:chunked",
  ),
  "coding unknown": coding(
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunkedx",
    "Transfer-Encoding: identity",
  ),
  "coding as a list": coding("Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, identity"),
  "coding doubled in a list": coding("Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked,"),
  "coding twice": chunked((draft, dice) => {
    draft.headers.push(
      dice.pick(["Transfer-Encoding: chunked", "Transfer-Encoding: x", "Transfer-encoding: identity"]),
    );
  }),
  "coding with odd spaces": coding(
    "Transfer-Encoding : chunked",
    "Transfer-Encoding:\vchunked",
    "Transfer-Encoding: \fchunked",
  ),
  "coding with a parameter": coding("Transfer-Encoding: chunked;q=1", 'Transfer-Encoding: "chunked"'),
  "coding folded": coding("Transfer-Encoding:\r\n chunked", "X: y\r\n Transfer-Encoding: chunked"),
  "coding behind a bare end": coding("X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked"),
  "coding in 1.0": chunked((draft) => {
    draft.version = "HTTP/1.0";
  }),
  "chunk extension": size(
    (n) => `${hex(n)};a=b`,
    (n) => `${hex(n)};a="b"`,
    (n) => `${hex(n)};`,
    (n) => `${hex(n)};${"x".repeat(300)}`,
  ),
  "chunk extension with a bare end": size(
    (n) => `${hex(n)};a\nb`,
    (n) => `${hex(n)};a\rb`,
    (n) => `${hex(n)};\0`,
  ),
  "chunk size with spaces": size(
    (n) => `${hex(n)} `,
    (n) => ` ${hex(n)}`,
    (n) => `${hex(n)}\t`,
    (n) => `${hex(n)} ;a`,
  ),
  "chunk size with a sign": size(
    (n) => `+${hex(n)}`,
    (n) => `-${hex(n)}`,
    (n) => `0x${hex(n)}`,
    (n) => `${hex(n)}h`,
  ),
  "chunk size with zeros": size(
    (n) => `00${hex(n)}`,
    (n) => "0".repeat(40) + hex(n),
  ),
  "chunk size in capitals": size((n) => hex(n).toUpperCase()),
  "chunk size too large": size(
    (n) => `1${hex(n).padStart(16, "0")}`,
    () => "ffffffffffffffff",
    () => "80000000",
  ),
  "chunk size that is none": size(
    () => "",
    () => "x",
    () => ";",
    (n) => `${hex(n)}\r\n`,
  ),
  "chunk too short": size(
    (n) => hex(n - 1),
    (n) => hex(n - 2),
  ),
  "chunk too long": size(
    (n) => hex(n + 1),
    (n) => hex(n + 2),
  ),
  "chunk with another end": chunked((draft, dice) => {
    draft.chunkEnd = dice.pick(["\n", "\r", "", "xx", "\r\r\n", "\n\r"]);
  }),
  "last chunk otherwise": chunked((draft, dice) => {
    draft.lastChunk = dice.pick(["00\r\n", "0;a=b\r\n", "0\n", "0 \r\n", "", "-0\r\n", "0\r\n\r\n0\r\n"]);
  }),
  trailers: chunked((draft, dice) => {
    draft.trailers = dice.pick([
      "X-T: 1\r\n",
      "Content-Length: 5\r\n",
      "Host: y\r\nX: y\r\n",
      "X-T: 1\n",
      "broken\r\n",
    ]);
  }),
  "request as trailers": chunked((draft) => {
    draft.trailers = `GET /health/live?${draft.target.split("?")[1]} HTTP/1.1\r\nHost: gateway\r\n`;
  }),
  "bare line ends": start("end", value("\n")),
  "line ends of CR": start("end", value("\r")),
  "one bare line end": header("X: y\nZ: y", "X: y\n", "\nX: y"),
  "bare CR in a value": header("X: a\rb", "X: a\r", "X: a\rContent-Length: 3"),
  "folded line": header("X: a\r\n b", "X: a\r\n\tContent-Length: 3", "X:\r\n a"),
  "NUL in a line": header("X: a\0b", "X\0: a", "\0: a"),
  "control characters": header("X: a\x01b", "X\x7f: a", "X: \x7f", "X: a\x1b"),
  "space in a name": header("X Y: a", "X : a", " X: a", "\tX: a"),
  "name that is none": header(": a", "X", "X;Y: a", "X\xe9: a", "(X): a", '"X": a', "X[]: a", "X@Y: a"),
  "bytes over 127 in a value": header("X: \xe9\xff", "X: \xc3\xa9"),
  "many lines": many(101),
  "too many lines": many(1_000),
  "long line": header(`X: ${"a".repeat(9_000)}`, `X: ${"a".repeat(17_000)}`, `${"X".repeat(5_000)}: a`),
  "no host": (draft) => {
    draft.headers = draft.headers.filter((line) => !line.startsWith("Host"));
  },
  "two hosts": header("Host: other", "Host: gateway", "host: "),
  "odd host": (draft, dice) => {
    draft.headers[0] = `Host: ${dice.pick(["", "a b", "a,b", "a@b", "[::1", "x:99999", "/", "http://x", "é", "a\tb", "?"])}`;
  },
  "connection names": header(
    "Connection: content-length",
    "Connection: close, transfer-encoding",
    "Connection: host",
  ),
  "connection closed": header("Connection: close", "Connection: Close", "Proxy-Connection: close"),
  upgrade: header(
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk",
    "Upgrade: websocket",
  ),
  expectation: header("Expect: 100-continue", "Expect: 100-Continue", "Expect: x"),
  "two keys": header("Authorization: Bearer other-key-0123456789", "x-api-key: other-key-0123456789"),
  "whole address": target((path) => `http://other.example${path}`),
  "odd address": (draft, dice) => {
    const path = draft.target;
    const odd = [
      `http://${path}`,
      `https://x${path}`,
      `//x${path}`,
      `http:${path}`,
      `HTTP://x${path}`,
      `x${path}`,
    ];
    draft.target = dice.pick([...odd, `ftp://x${path}`, `http://a:b@x${path}`, `http://x:99999${path}`]);
  },
  "odd path": (draft, dice) => {
    const [path = "", query = ""] = draft.target.split("?");
    const odd = [
      `/x/..${path}`,
      `/.${path}`,
      `/${path}`,
      `${path}/`,
      path.replace("e", "%65"),
      `${path};x`,
      `${path}%00`,
    ];
    draft.target = `${dice.pick([...odd, `${path}#x`, `\\${path}`, `${path}\xe9`, `/v1/%2e%2e${path}`])}?${query}`;
  },
  "long target": target((path) => `${path}&${"a".repeat(9_000)}`),
  "another method": start(
    "method",
    value("PUT", "GET", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PRI"),
  ),
  "unknown method": start(
    "method",
    value("FOO", "post", "Post", "PO ST", "P\tST", "", "P\0ST", "PO:ST", "X".repeat(300)),
  ),
  "another version": start(
    "version",
    value("HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/2", "HTTP/1"),
  ),
  "odd version": start(
    "version",
    value("http/1.1", "HTTP/01.1", "HTTP/1.1 ", "HTTP/1.1x", "HTTP/1,1", "HTTP /1.1", "", "X/1.1"),
  ),
  "odd gaps": start("gap", value("  ", "\t", " \t", "\v", "\xa0", "\0")),
  "empty lines before": start("before", value("\r\n", "\r\n\r\n", "\n", "\r", " \r\n", "\0")),
  "bytes behind": start("after", value("\r\n", "\n", "x", "\0", "\r\n\r\n", "0\r\n\r\n", "GET")),
};
