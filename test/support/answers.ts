// Answers for the scripted upstream: good ones, and every way a provider or the road to it goes wrong.
import { splitEvents, withLineEnds, writeSse, type LineEnd, type SseItem } from "./sse-text.ts";
import type { Answer, Connection, UpstreamRequest } from "./upstream.ts";

export type HeaderList = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

/**
 * How the body ends, after `cutAt` bytes if that is given:
 * `clean` by its own framing, `fin` by FIN without the final chunk, `rst` by RST, `hang` not at all,
 * `short-length` by FIN with fewer bytes than the content-length said, `long-length` with more bytes than it said,
 * `bad-chunk` with a chunk size that is no number (and then nothing).
 */
export type BodyEnd = "clean" | "fin" | "rst" | "hang" | "short-length" | "long-length" | "bad-chunk";

export interface BodyOptions {
  readonly status?: number;
  readonly headers?: HeaderList;
  /** One write, and one chunk, for every n bytes, for every event, or for all. */
  readonly chunking?: number | "event" | "whole";
  /** Wait before each piece but the first. */
  readonly delayMs?: number;
  /** Wait before the head. */
  readonly headDelayMs?: number;
  /** Wait between the head and the first piece. */
  readonly firstDelayMs?: number;
  readonly end?: BodyEnd;
  readonly cutAt?: number;
  /** Wait before a FIN or RST, so that the other side has read what came before it. */
  readonly lingerMs?: number;
  /** The end waits for it as well: on a busy machine no time is long enough. */
  readonly seen?: Promise<unknown>;
  readonly framing?: "chunked" | "length" | "close";
}

export interface SseOptions extends BodyOptions {
  readonly lineEnds?: LineEnd;
}

const LINGER_MS = 2;
const SSE_HEADERS: HeaderList = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
};
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  429: "Too Many Requests",
  529: "Overloaded",
};

export function headText(status: number, headers: HeaderList): string {
  const list: readonly (readonly [string, string])[] = isList(headers) ? headers : Object.entries(headers);
  const lines = list.map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${REASONS[status] ?? "Status"}\r\n${lines.join("")}\r\n`;
}

/** A JSON answer with its length. A string body goes out as it is. */
export function json(
  status: number,
  body: unknown,
  headers: HeaderList = {},
  options: BodyOptions = {},
): Answer {
  const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  return answerBody(bytes, {
    framing: "length",
    chunking: "whole",
    ...options,
    status,
    headers: joined({ "content-type": "application/json" }, headers),
  });
}

export function html(
  status: number,
  body = "<html><body><h1>Bad gateway</h1></body></html>",
  headers: HeaderList = {},
): Answer {
  const all = joined({ "content-type": "text/html; charset=utf-8" }, headers);
  return answerBody(Buffer.from(body), { status, headers: all, framing: "length", chunking: "whole" });
}

export function sse(stream: Uint8Array | string | readonly SseItem[], options: SseOptions = {}): Answer {
  const written =
    typeof stream === "string" || stream instanceof Uint8Array ? Buffer.from(stream) : writeSse(stream);
  const bytes = options.lineEnds === undefined ? written : withLineEnds(written, options.lineEnds);
  return answerBody(bytes, {
    chunking: "event",
    ...options,
    headers: joined(SSE_HEADERS, options.headers ?? {}),
  });
}

/** Any body with any ending. */
export function answerBody(bytes: Buffer, options: BodyOptions): Answer {
  const end = options.end ?? "clean";
  const framing = end === "short-length" || end === "long-length" ? "length" : (options.framing ?? "chunked");
  const sent = options.cutAt === undefined ? bytes : bytes.subarray(0, options.cutAt);
  const head = headText(
    options.status ?? 200,
    joined(options.headers ?? {}, framingHeaders(framing, declaredLength(end, bytes, sent))),
  );
  const pieces = split(sent, options.chunking ?? "whole").map((piece) =>
    framing === "chunked" ? chunk(piece) : piece,
  );
  return async (_request, connection) => {
    if (options.headDelayMs !== undefined) await connection.sleep(options.headDelayMs);
    const last = pieces.at(-1);
    const whole = framing === "length" && (end === "clean" || end === "long-length");
    if (last === undefined && whole) await connection.finish(head);
    else await connection.write(head);
    if (options.firstDelayMs !== undefined) await connection.sleep(options.firstDelayMs);
    for (const [index, piece] of pieces.entries()) {
      if (index > 0 && options.delayMs !== undefined) await connection.sleep(options.delayMs);
      await (whole && piece === last ? connection.finish(piece) : connection.write(piece));
    }
    await options.seen;
    await endBody(connection, end, framing, options.lingerMs ?? LINGER_MS);
  };
}

/** Reads the request and never answers. */
export function hangBeforeHeaders(): Answer {
  return (_request, connection) => connection.hang();
}

/** The head of a stream, and then nothing. */
export function headersOnly(
  options: { readonly status?: number; readonly headers?: HeaderList } = {},
): Answer {
  return async (_request, connection) => {
    const headers = joined(joined(SSE_HEADERS, options.headers ?? {}), framingHeaders("chunked", 0));
    await connection.write(headText(options.status ?? 200, headers));
    await connection.hang();
  };
}

/** RST instead of an answer. */
export function reset(): Answer {
  return (_request, connection) => connection.reset();
}

/** FIN instead of an answer. */
export function hangUp(): Answer {
  return (_request, connection) => connection.end();
}

/** One byte at a time, then hangs; every byte is its own chunk. */
export function drip(bytes: Uint8Array | string, msPerByte: number, options: BodyOptions = {}): Answer {
  const headers = options.headers ?? SSE_HEADERS;
  return answerBody(Buffer.from(bytes), {
    end: "hang",
    ...options,
    headers,
    chunking: 1,
    delayMs: msPerByte,
  });
}

export function redirect(status: 301 | 302 | 303 | 307 | 308, location: string): Answer {
  return json(status, {}, { location });
}

/** A status without a body. */
export function empty(status: number, headers: HeaderList = {}): Answer {
  const framing: HeaderList = status === 204 || status === 304 ? {} : { "content-length": "0" };
  return (_request, connection) => connection.finish(headText(status, joined(headers, framing)));
}

/** Interim answers before the real one. */
export function interim(statuses: readonly number[], then: Answer): Answer {
  return async (request, connection) => {
    for (const status of statuses)
      await connection.write(headText(status, status === 103 ? { link: "</a>; rel=preload" } : {}));
    await then(request, connection);
  };
}

/** These bytes instead of HTTP made by the kit. */
export function raw(bytes: Uint8Array | string, end: "keep" | "fin" | "rst" | "hang" = "keep"): Answer {
  return async (_request, connection) => {
    if (end === "keep") return connection.finish(bytes);
    await connection.write(bytes);
    await endBody(connection, end, "close", LINGER_MS);
  };
}

/** Answers, and does something to the idle connection afterwards. */
export function thenWhenIdle(answer: Answer, afterMs: number, act: "fin" | "rst" | Uint8Array): Answer {
  return async (request, connection) => {
    await answer(request, connection);
    const later = async (): Promise<void> => {
      await connection.sleep(afterMs);
      if (act === "fin") connection.socket.end();
      else if (act === "rst") connection.socket.resetAndDestroy();
      else await connection.write(act);
    };
    // The other side may close first, and then there is nothing left to do.
    void later().catch(() => undefined);
  };
}

/** The n-th request gets the n-th answer; the last one stays. */
export function inTurn(...answers: readonly [Answer, ...Answer[]]): Answer {
  let next = 0;
  return (request, connection) => {
    const answer = answers[Math.min(next, answers.length - 1)] ?? answers[0];
    next += 1;
    return answer(request, connection);
  };
}

export interface Held {
  readonly answer: Answer;
  readonly waiting: number;
  /** Lets all go that wait now or come later. */
  release(): void;
}

/** Answers only once released, so that a test decides how many requests are under way. */
export function held(answer: Answer): Held {
  const gate = Promise.withResolvers<void>();
  let waiting = 0;
  return {
    answer: async (request, connection) => {
      waiting += 1;
      await Promise.race([gate.promise, connection.closed]);
      waiting -= 1;
      await answer(request, connection);
    },
    get waiting() {
      return waiting;
    },
    release: () => gate.resolve(),
  };
}

export interface Flood {
  readonly answer: Answer;
  /** Body bytes the kernel has taken. */
  readonly takenBytes: number;
}

/** Writes one event over and over until the other side leaves, as fast as it is taken. */
export function flood(
  event: Uint8Array,
  options: { readonly start?: Uint8Array; readonly headers?: HeaderList } = {},
): Flood {
  const repeated = Buffer.concat(
    Array.from({ length: Math.max(1, Math.floor(16_384 / event.byteLength)) }, () => event),
  );
  let takenBytes = 0;
  const send = async (connection: Connection, bytes: Uint8Array): Promise<void> => {
    await connection.write(chunk(Buffer.from(bytes)));
    takenBytes += bytes.byteLength;
  };
  return {
    answer: async (_request: UpstreamRequest, connection) => {
      await connection.write(
        headText(200, joined(options.headers ?? SSE_HEADERS, framingHeaders("chunked", 0))),
      );
      if (options.start !== undefined) await send(connection, options.start);
      while (connection.open) await send(connection, repeated);
    },
    get takenBytes() {
      return takenBytes;
    },
  };
}

function chunk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}

function split(bytes: Buffer, chunking: number | "event" | "whole"): Buffer[] {
  if (bytes.length === 0) return [];
  if (chunking === "whole") return [bytes];
  if (chunking === "event") return splitEvents(bytes);
  const pieces: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += chunking)
    pieces.push(bytes.subarray(start, start + chunking));
  return pieces;
}

function declaredLength(end: BodyEnd, bytes: Buffer, sent: Buffer): number {
  if (end === "clean") return sent.length;
  if (end === "long-length") return Math.max(0, sent.length - 10);
  return Math.max(bytes.length, sent.length + 1);
}

function framingHeaders(framing: "chunked" | "length" | "close", length: number): HeaderList {
  if (framing === "chunked") return { "transfer-encoding": "chunked" };
  return framing === "length" ? { "content-length": String(length) } : { connection: "close" };
}

function endBody(
  connection: Connection,
  end: BodyEnd,
  framing: "chunked" | "length" | "close",
  lingerMs: number,
): Promise<void> {
  if (end === "clean" && framing === "chunked") return connection.finish("0\r\n\r\n");
  if (framing === "length" && (end === "clean" || end === "long-length")) return Promise.resolve();
  if (end === "hang") return connection.hang();
  if (end === "bad-chunk") return connection.write("zz\r\nno chunk\r\n").then(() => connection.hang());
  return connection
    .sleep(lingerMs)
    .then(() =>
      end === "rst" ? connection.reset() : connection.end(end === "clean" ? "answered" : "broken"),
    );
}

function joined(first: HeaderList, second: HeaderList): HeaderList {
  const list = (headers: HeaderList): (readonly [string, string])[] =>
    isList(headers) ? [...headers] : Object.entries(headers);
  const replaced = new Set(list(second).map(([name]) => name.toLowerCase()));
  return [...list(first).filter(([name]) => !replaced.has(name.toLowerCase())), ...list(second)];
}

function isList(headers: HeaderList): headers is readonly (readonly [string, string])[] {
  return Array.isArray(headers);
}
