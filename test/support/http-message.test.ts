import { describe, expect, test } from "bun:test";
import { MessageReader, type ReaderOptions } from "./http-message.ts";

interface Read {
  readonly heads: string[];
  readonly bodies: string[];
  readonly reader: MessageReader;
  error: string | undefined;
}

function read(text: string, options: ReaderOptions = { role: "response" }, piece = text.length): Read {
  const result: { heads: string[]; bodies: string[]; error: string | undefined } = {
    heads: [],
    bodies: [],
    error: undefined,
  };
  let body = "";
  const reader = new MessageReader(options, {
    head: (head) => result.heads.push(`${head.startLine} ${head.framing}`),
    body: (bytes) => {
      body += bytes.toString("utf8");
    },
    end: () => {
      result.bodies.push(body);
      body = "";
    },
  });
  const bytes = Buffer.from(text);
  try {
    for (let start = 0; start < bytes.length; start += piece)
      reader.push(bytes.subarray(start, start + piece));
  } catch (error) {
    result.error = String(error);
  }
  return { ...result, reader };
}

const CHUNKED =
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nt: v\r\n\r\n";
const COUNTED = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

describe("a message reader", () => {
  test("reads the same from one piece and from single bytes", () => {
    for (const text of [CHUNKED, COUNTED, COUNTED + CHUNKED + COUNTED]) {
      const whole = read(text);
      const bytes = read(text, { role: "response" }, 1);
      expect(bytes.heads).toEqual(whole.heads);
      expect(bytes.bodies).toEqual(whole.bodies);
      expect(whole.error).toBeUndefined();
      expect(whole.reader.idle).toBe(true);
    }
    expect(read(CHUNKED).bodies).toEqual(["hello world"]);
    expect(read(COUNTED + CHUNKED).bodies).toEqual(["hello", "hello world"]);
  });

  test("says at the close of the connection whether the message was cut", () => {
    expect(read(CHUNKED).reader.close()).toBe("idle");
    expect(read(CHUNKED.slice(0, -1)).reader.close()).toBe("cut");
    expect(read(COUNTED.slice(0, -1)).reader.close()).toBe("cut");
    expect(read("HTTP/1.1 200 OK\r\n\r\nhello").reader.close()).toBe("complete");
    expect(read("HTTP/1.1 200 OK\r\nx").reader.close()).toBe("cut");
  });

  test("gives no body to statuses that have none, and none to the answer of a HEAD", () => {
    expect(read("HTTP/1.1 204 No\r\n\r\nHTTP/1.1 103 Early\r\n\r\n").heads).toEqual([
      "HTTP/1.1 204 No none",
      "HTTP/1.1 103 Early none",
    ]);
    const head = read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", { role: "response", bodiless: true });
    expect(head.bodies).toEqual([""]);
  });

  test("refuses what RFC 9112 does not allow", () => {
    const heads = [
      "HTTP/1.0 200 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nspace : x\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n",
    ];
    for (const text of heads)
      expect([text, read(text).error]).toEqual([text, expect.stringContaining("MessageError")]);
    expect(read("GET /\r\n\r\n", { role: "request" }).error).toContain("bad start line");
  });
});
