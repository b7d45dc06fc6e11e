import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { hostKind, ipRange, listenAddress, proxyUrl, publicUrl, upstreamUrl } from "./addresses.ts";
import type { Checked } from "./problems.ts";
import { isSample } from "./secrets.ts";
import { duration, size } from "./units.ts";

const ANY = { minMs: 0, maxMs: Number.MAX_SAFE_INTEGER };

function result<T>(checked: Checked<T>): T | string {
  return "value" in checked ? checked.value : checked.message;
}

describe("durations and sizes", () => {
  test("durations are read as people and Go write them", () => {
    for (const [text, ms] of [
      ["1h30m", 5_400_000],
      ["500ms", 500],
      ["1.5h", 5_400_000],
      ["2d", 172_800_000],
      ["1500us", 2],
      ["0", 0],
      [90, 90_000],
      [0.25, 250],
    ] as const)
      expect(result(duration(text, ANY))).toBe(ms);
  });

  test("what is no duration is refused", () => {
    for (const text of ["", "1x", "h", "1h 30m", "-1s", "1h30", "∞", "1e3s"])
      expect(result(duration(text, ANY))).toBe("is not a duration");
    expect(result(duration(-1, ANY))).toBe("must be at least 0s");
    expect(result(duration("25d", { minMs: 1, maxMs: 86_400_000 }))).toBe("must be at most 1d");
  });

  test("a duration of several parts is the sum of its parts", () => {
    const part = fc.nat({ max: 10_000 });
    fc.assert(
      fc.property(part, part, part, (hours, minutes, ms) => {
        const text = `${hours}h${minutes}m${ms}ms`;
        expect(result(duration(text, ANY))).toBe(hours * 3_600_000 + minutes * 60_000 + ms);
      }),
    );
  });

  test("sizes are decimal or binary by their unit", () => {
    for (const [text, bytes] of [
      ["32MiB", 33_554_432],
      ["10MB", 10_000_000],
      ["1.5 kib", 1536],
      ["7B", 7],
      [4096, 4096],
    ] as const)
      expect(result(size(text, 2 ** 40))).toBe(bytes);
    for (const text of ["", "10", "1 TB", "-1MB", "MB"])
      expect(result(size(text, 2 ** 40))).toBe("is not a size");
    expect(result(size("2MiB", 1024 ** 2))).toBe("must be at most 1 MiB");
    expect(result(size(0, 10))).toBe("must be at least 1 byte");
  });
});

describe("upstream URLs", () => {
  test("lose the slash at their end and keep their path", () => {
    for (const [text, url] of [
      ["https://api.example.com", "https://api.example.com"],
      ["https://api.example.com/v1/", "https://api.example.com/v1"],
      ["HTTPS://API.example.com:8443//", "https://api.example.com:8443"],
      ["http://localhost:11434", "http://localhost:11434"],
      ["http://ollama:11434/v1", "http://ollama:11434/v1"],
      ["http://box.local", "http://box.local"],
      ["http://host.docker.internal:1", "http://host.docker.internal:1"],
      ["http://192.168.1.2", "http://192.168.1.2"],
      ["http://[fd00::1]:80", "http://[fd00::1]"],
    ] as const)
      expect(result(upstreamUrl(text))).toBe(url);
  });

  test("in clear text are for loopback and private hosts only", () => {
    for (const text of [
      "http://api.example.com",
      "http://8.8.8.8",
      "http://172.32.0.1",
      "http://[2001:db8::1]",
    ])
      expect(result(upstreamUrl(text))).toContain("http:// is for loopback and private hosts only");
  });

  test("to link-local and metadata addresses are refused in every spelling", () => {
    for (const host of [
      "169.254.169.254",
      "2852039166",
      "0xa9fea9fe",
      "0251.0376.0251.0376",
      "169.254.169.254.",
      "[::ffff:169.254.169.254]",
      "[64:ff9b::169.254.169.254]",
      "[fe80::1]",
      "[fd00:ec2::254]",
      "metadata.google.internal",
      "metadata.google.internal.",
      "0.0.0.0",
      "[::]",
      "224.0.0.1",
      "100.100.100.200",
    ])
      for (const scheme of ["http", "https"])
        expect(result(upstreamUrl(`${scheme}://${host}/latest`))).toContain("which is refused");
  });

  test("that cannot be a base are refused", () => {
    for (const [text, message] of [
      ["api.example.com", "is not a URL"],
      ["https://", "is not a URL"],
      ["https://a b", "is not a URL"],
      ["https://a.test/\n", "is not a URL"],
      ["file:///etc/passwd", "must begin with https:// or http://"],
      ["https://user:pw@a.test", "must not hold a user name or password"],
      ["https://a.test/?x=1", "must not have a query"],
      ["https://a.test/v1/chat/completions", "names an endpoint"],
      ["https://a.test/v1/messages/", "names an endpoint"],
    ] as const)
      expect(result(upstreamUrl(text))).toContain(message);
  });

  test("any IPv4 address is told apart as its own octets say", () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a = 0, b = 0] = address.split(".").map(Number);
        const kind = hostKind(address);
        if (a === 169 && b === 254) expect(kind).toBe("forbidden");
        else if (a === 127) expect(kind).toBe("loopback");
        else if (a === 10 || (a === 192 && b === 168)) expect(kind).toBe("private");
        else if (a > 0 && a < 100) expect(kind).toBe("public");
      }),
    );
  });
});

describe("other addresses", () => {
  test("proxies are http or https, SOCKS is named as missing", () => {
    expect(result(proxyUrl("http://u:p@127.0.0.1:7890/"))).toBe("http://u:p@127.0.0.1:7890");
    expect(result(proxyUrl("https://proxy.example.com"))).toBe("https://proxy.example.com");
    expect(result(proxyUrl("socks5://127.0.0.1:1080"))).toContain("not supported yet");
    for (const text of [
      "127.0.0.1:7890",
      "localhost:7890",
      "ftp://x",
      "http://",
      "http://x/path",
      "http://x?y",
    ])
      expect(result(proxyUrl(text))).toMatch(/must|not a URL/);
  });

  test("listen addresses have a host or none, and a port", () => {
    for (const [text, host, port] of [
      [":8080", undefined, 8080],
      ["127.0.0.1:0", "127.0.0.1", 0],
      ["[::1]:8080", "::1", 8080],
      ["localhost:65535", "localhost", 65_535],
    ] as const)
      expect(result(listenAddress(text))).toEqual({ host, port });
    for (const text of ["8080", "127.0.0.1", ":65536", "[x]:1", "::1:80", "1.2.3:80", "a b:1", "http://x:1"])
      expect(result(listenAddress(text))).toBe("is not an address to listen on");
  });

  test("trusted proxies are addresses or ranges", () => {
    for (const text of ["10.0.0.0/8", "::1", "fd00::/8", "1.2.3.4"]) expect(result(ipRange(text))).toBe(text);
    for (const text of ["10.0.0.0/33", "x", "1.2.3.4/", "::/129", "1.2.3.4/8/9", "fe80::1%eth0"])
      expect(result(ipRange(text))).toBe("is not an IP address or range");
  });

  test("the public URL is an origin, perhaps with a path", () => {
    expect(result(publicUrl("https://gw.example.com/ai/"))).toBe("https://gw.example.com/ai");
    expect(result(publicUrl("http://gw.example.com"))).toBe("http://gw.example.com");
    expect(result(publicUrl("https://gw.example.com/?a"))).toContain("must be an origin");
  });
});

test("sample values are known behind every prefix, and random keys are not samples", () => {
  for (const sample of [
    "sk-your-api-key-for-clients",
    "your-token",
    "sk-ant-your-key",
    "REPLACE-WITH-x",
    "changeme",
    "<key>",
  ])
    expect(isSample(sample)).toBe(true);
  for (const real of ["sk-ant-api03-AbC", "s2a-replica", "yourself-is-a-word", "client-token-0123456789"])
    expect(isSample(real)).toBe(false);
});
