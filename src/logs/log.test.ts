import { describe, expect, test } from "bun:test";
import type { ExchangeRecord } from "../core/exchange.ts";
import type { LogLine } from "../core/ports.ts";
import { createLog, type LogOptions } from "./log.ts";
import { requestLine } from "./request-line.ts";

const NOON = new Date(2026, 10, 23, 12, 34, 56).getTime();

const RECORD: ExchangeRecord = {
  id: "req_1",
  startedAt: NOON,
  protocol: "messages",
  stream: true,
  key: "laptop",
  model: "claude-sonnet",
  session: "s",
  account: "main",
  upstreamModel: "claude-sonnet",
  upstreamProtocol: "messages",
  attempts: ["main:ok"],
  status: 200,
  outcome: "ok",
  error: undefined,
  usage: { input: 100, cacheRead: 12_000, cacheWrite: 200, output: 31, reasoning: 0 },
  waitedMs: 0.04,
  firstByteMs: 420.12,
  tookMs: 3_141,
  bytesIn: 1,
  bytesOut: 2,
};

/** A log, and what it wrote. */
function logged(options: Partial<LogOptions>, ...lines: LogLine[]): string[] {
  const written: string[] = [];
  const write = (text: string): void => void written.push(text);
  const log = createLog({ write, terminal: false, colour: false, wall: () => NOON, ...options });
  for (const line of lines) log(line);
  return written;
}

describe("on a terminal", () => {
  test("lines are aligned, and keep their columns", () => {
    const lines = logged(
      { terminal: true },
      { level: "info", event: "config-reloaded", fields: { path: "/c.json", accounts: 3 } },
      requestLine({ ...RECORD, model: "a-longer-model", upstreamModel: "sonnet" }),
      requestLine(RECORD),
    );
    expect(lines).toEqual([
      "12:34:56  info   config-reloaded  path /c.json  accounts 3\n",
      "12:34:56  info   request          200  ok  messages  a-longer-model → sonnet  main  key laptop  in 12.3k  cached 12.0k  out 31  waited 0ms  first 420ms  total 3.1s  id req_1\n",
      "12:34:56  info   request          200  ok  messages  claude-sonnet            main  key laptop  in 12.3k  cached 12.0k  out 31  waited 0ms  first 420ms  total 3.1s  id req_1\n",
    ]);
  });

  test("colours are used unless they are not wanted", () => {
    expect(logged({ terminal: true, colour: true }, { level: "warn", event: "e" })[0]).toContain(
      "\u001b[33mwarn",
    );
    expect(logged({ terminal: true, colour: false }, { level: "warn", event: "e" })[0]).not.toContain(
      "\u001b",
    );
  });

  test("NO_COLOR decides when nobody else does", () => {
    const before = process.env["NO_COLOR"];
    const write = (text: string): void => void written.push(text);
    const written: string[] = [];
    process.env["NO_COLOR"] = "1";
    createLog({ write, terminal: true, wall: () => NOON })({ level: "info", event: "e" });
    process.env["NO_COLOR"] = "";
    createLog({ write, terminal: true, wall: () => NOON })({ level: "info", event: "e" });
    if (before === undefined) delete process.env["NO_COLOR"];
    else process.env["NO_COLOR"] = before;
    expect(written.map((line) => line.includes("\u001b"))).toEqual([false, true]);
  });

  test("nothing in a value moves the cursor, ends the line or turns its direction", () => {
    const text = "a\nb\r\tc\u001b[2Jd\u0000e\u007ff\u009bg\u2028h\u202ei\ud800";
    const [line] = logged(
      { terminal: true },
      { level: "info", event: "e\n", fields: { text, "n\u001b": 1 } },
    );
    // oxlint-disable-next-line no-control-regex
    expect(line?.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e\ud800]/);
    expect(line).toContain("a\\nb\\r\\tc\\u001b[2Jd\\u0000e\\u007ff\\u009bg\\u2028h\\u202ei");
  });
});

describe("elsewhere", () => {
  test("a line is one JSON object", () => {
    const fields = {
      time: "t",
      n: 1.5,
      ok: true,
      none: null,
      left: undefined,
      text: 'q"\n\u009b\u202e\ud800',
    };
    const [line] = logged({}, { level: "error", event: "x", fields });
    expect(line?.endsWith("}\n")).toBe(true);
    // oxlint-disable-next-line no-control-regex
    expect(line?.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(JSON.parse(line ?? "")).toEqual({
      time: new Date(NOON).toISOString(),
      level: "error",
      event: "x",
      time_: "t",
      n: 1.5,
      ok: true,
      none: null,
      text: 'q"\n\u009b\u202e\ud800',
    });
  });

  test("a request's line names what matters", () => {
    expect(requestLine(RECORD)).toMatchObject({ level: "info", event: "request" });
    const broken = { ...RECORD, outcome: "cut", error: "upstream_cut", usage: undefined, account: undefined };
    expect(requestLine({ ...broken, attempts: ["a:limit", "b:ok"] })).toMatchObject({
      level: "warn",
      fields: { attempts: "a:limit b:ok", error: "upstream_cut", in_tokens: null, account: null },
    });
    expect(requestLine({ ...RECORD, outcome: "failed" }).level).toBe("warn");
    expect(requestLine({ ...RECORD, outcome: "refused" }).level).toBe("info");
  });
});

describe("secrets", () => {
  test("are hidden in values, names and events, and by the name of their field", () => {
    const secrets = new Set(["my-own-client-key"]);
    const line: LogLine = {
      level: "info",
      event: "my-own-client-key",
      fields: {
        "my-own-client-key": 1,
        text: "xmy-own-client-keyx",
        access_token: "anything",
        body: "api_key=abc",
      },
    };
    for (const terminal of [true, false]) {
      const [text] = logged({ terminal, secrets }, line);
      expect(text).not.toMatch(/my-own|anything|abc/);
      expect(text?.match(/\[secret\]/g)).toHaveLength(5);
    }
  });

  test("are hidden where a long value is cut", () => {
    const secret = "0123456789abcdef";
    const text = "x".repeat(64 * 1024 - 10) + secret;
    const [line] = logged({ secrets: new Set([secret]) }, { level: "info", event: "e", fields: { text } });
    expect(line).not.toContain("01234567");
    expect(line).toContain("… (6 more)");
  });
});

describe("a log", () => {
  test("leaves out what is below its level", () => {
    const lines: LogLine[] = [
      { level: "debug", event: "a" },
      { level: "warn", event: "b" },
    ];
    expect(logged({ level: "warn" }, ...lines)).toHaveLength(1);
    expect(logged({}, ...lines)).toHaveLength(2);
  });

  test("never throws", () => {
    const throwing = (): never => {
      throw new Error("no");
    };
    const odd = { a: {}, b: 1n, c: Symbol("x"), d: () => 1, e: Number.NaN } as unknown as LogLine["fields"];
    for (const terminal of [true, false]) {
      logged({ terminal, write: throwing }, { level: "info", event: "e" });
      logged({ terminal, wall: () => Number.NaN }, { level: "info", event: "e" });
      logged({ terminal, wall: throwing }, { level: "info", event: "e" });
      expect(logged({ terminal }, { level: "info", event: "e", ...(odd && { fields: odd }) })).toHaveLength(
        1,
      );
      logged({ terminal }, undefined as unknown as LogLine);
    }
  });

  test("keeps lines while its sink is busy, and counts what does not fit", async () => {
    const written: string[] = [];
    let release = (): void => {};
    const write = (text: string): Promise<void> => {
      written.push(text);
      return new Promise((resolve) => (release = resolve));
    };
    const log = createLog({ write, terminal: false, wall: () => NOON });
    const text = "x".repeat(10_000);
    for (let n = 0; n < 200; n++) log({ level: "info", event: "e", fields: { n, text } });
    expect(written).toHaveLength(1);
    release();
    await Bun.sleep(0);
    expect(written).toHaveLength(2);
    const later = (written[1] ?? "")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const kept = later.length - 1;
    expect(later.slice(0, kept).map((line) => line.n)).toEqual(Array.from({ length: kept }, (_, n) => n + 1));
    expect(later.at(-1)).toMatchObject({ event: "log-lines-dropped", level: "warn", lines: 199 - kept });
    expect(kept).toBeGreaterThan(90);
    release();
    await Bun.sleep(0);
    log({ level: "info", event: "after" });
    expect(written).toHaveLength(3);
  });
});
