// What an account answers, on its way to the client. One commit point, the first content event or a second after
// the first event: nothing leaves before it, and after it nothing but the answer's true end or an error event.

import { type Failure, faultOf } from "../core/errors.ts";
import { answerHeaders } from "../core/headers.ts";
import { type JsonObject, parseObject } from "../core/json.ts";
import type { Outcome } from "../core/outcome.ts";
import type { SseFrame } from "../core/sse.ts";
import { type Attempt, commit, cutShort } from "./attempt-state.ts";
import { type Head, MAX_WHOLE } from "./upstream.ts";
import type { Conversion, StreamConversion } from "./convert.ts";
import { debugFrames, debugPayload } from "./debug.ts";
import { type Aside, Frames, tooLarge } from "./frames.ts";
import { judge, judgeEvent } from "./refusal.ts";

/** What names an answer but says nothing yet is held back this long and this far. */
const HOLD_MS = 1_000;
const HOLD_BYTES = 64 << 10;
const decoder = new TextDecoder();

export async function relay(attempt: Attempt, head: Head, conversion: Conversion): Promise<Outcome> {
  const streams = (head.headers.get("content-type") ?? "").includes("text/event-stream");
  if (!streams) return relayWhole(attempt, head, conversion);
  const { ask, upstream, upstreamCodec, exchange, provider } = attempt;
  // Where the answer is put together or translated, that does it.
  const isPassed = ask.stream && upstreamCodec === exchange.codec;
  const mend = isPassed ? provider.mend?.(ask) : undefined;
  if (mend !== undefined) exchange.isRewritten = true;
  const frames = new Frames(upstream, asideOf(attempt), mend);
  return ask.stream
    ? relayStream(attempt, head, frames, conversion)
    : relayFolded(attempt, head, frames, conversion);
}

/** Events of the service's own say how its account stands. */
function asideOf({ provider, deps, lease }: Attempt): Aside | undefined {
  if (provider.aside === undefined) return undefined;
  return (frame) => {
    const windows = provider.aside?.(frame, deps.clock.wall());
    if (windows === undefined) return false;
    if (windows.length > 0) deps.pool.observe(lease.candidate.account, windows);
    return true;
  };
}

/** The answer's headers, and how true it is to what was asked. */
function headersFor({ exchange, upstreamCodec }: Attempt, head: Head): Headers {
  const headers = answerHeaders(head.headers);
  const dropped = exchange.dropped.map((name) => name.replace(/[^\x21-\x2b\x2d-\x7e]/g, "?")).join(",");
  const isAsItWas = upstreamCodec === exchange.codec && !exchange.isRewritten;
  const whole = isAsItWas ? "passthrough" : "lossless";
  headers.set("x-sub2api-fidelity", dropped === "" ? whole : `lossy; dropped=${dropped}`);
  return headers;
}

/** A whole answer. A client that wants a stream gets the stream it would have been. */
async function relayWhole(attempt: Attempt, head: Head, conversion: Conversion): Promise<Outcome> {
  const { exchange, ask, upstream, tap, upstreamCodec } = attempt;
  const bytes = await upstream.whole();
  const data = parseObject(decoder.decode(bytes));
  const { wire } = upstreamCodec;
  if (data === undefined || !wire.isAnswer(data) || wire.error(data) !== undefined) {
    return judgeWhole(attempt, head, data);
  }
  tap.count(data);
  exchange.usage = tap.usage;
  const headers = headersFor(attempt, head);
  const text = ask.stream ? conversion.unfold(data) : undefined;
  const whole = text === undefined ? conversion.whole : undefined;
  const body = whole === undefined ? bytes : JSON.stringify(whole(data));
  commit(attempt);
  debugPayload(attempt, "to-client", text ?? body);
  if (text === undefined) exchange.client.respond(head.status, headers, body);
  else {
    exchange.client.open(headers);
    await exchange.client.write(text);
    exchange.client.end();
  }
  return exchange.client.left ? { kind: "gone" } : { kind: "ok" };
}

/** A 200 that is no answer: an error in the body, something else, or a page. */
function judgeWhole(attempt: Attempt, head: Head, data: JsonObject | undefined): Outcome {
  const status = data === undefined ? head.status : (attempt.upstreamCodec.wire.error(data)?.status ?? 500);
  return judge(attempt, { status, headers: head.headers }, data);
}

/** A stream for a client that wants a whole answer. Nothing leaves before the end, so any failure fails over. */
async function relayFolded(
  attempt: Attempt,
  head: Head,
  frames: Frames,
  conversion: Conversion,
): Promise<Outcome> {
  const { exchange, upstream, tap, settings } = attempt;
  upstream.expectWithin(settings.streamReadTimeoutMs);
  const folder = conversion.folder();
  while (!tap.ended) {
    const batch = await frames.next();
    if (batch === undefined) break;
    if (frames.size > MAX_WHOLE) throw tooLarge("the upstream's answer");
    debugFrames(attempt, batch);
    for (const frame of batch) {
      if (tap.see(frame) === "error") return judgeEvent(attempt, head, frame.data ?? "");
      folder.push(frame);
    }
  }
  const answer = tap.complete ? folder.answer() : undefined;
  if (answer === undefined) throw cutShort();
  exchange.usage = tap.usage;
  commit(attempt);
  const headers = headersFor(attempt, head);
  headers.set("content-type", "application/json");
  const body = JSON.stringify(answer);
  debugPayload(attempt, "to-client", body);
  exchange.client.respond(200, headers, body);
  return exchange.client.left ? { kind: "gone" } : { kind: "ok" };
}

async function relayStream(
  attempt: Attempt,
  head: Head,
  frames: Frames,
  conversion: Conversion,
): Promise<Outcome> {
  const { exchange, upstream, settings, tap } = attempt;
  const held = await hold(attempt, head, frames);
  if (!Array.isArray(held)) return held;
  commit(attempt);
  exchange.client.open(headersFor(attempt, head));
  upstream.expectWithin(settings.streamReadTimeoutMs);
  const stream = conversion.stream?.();
  const { wire } = exchange.codec;
  exchange.errorEvent = (failure) =>
    stream?.fail(failure) ?? wire.errorEvent(faultOf(failure, wire.family), exchange.id, tap.responseId);
  try {
    for (
      let batch: readonly SseFrame[] | undefined = held;
      batch !== undefined;
      batch = await frames.next()
    ) {
      const outcome = await pass(attempt, head, batch, stream);
      if (outcome !== undefined) return outcome;
    }
    if (!tap.complete) throw cutShort();
    return await finish(attempt, stream);
  } finally {
    exchange.usage = tap.usage;
  }
}

/** Reads up to the first content event. An outcome when the stream failed before it. */
async function hold(attempt: Attempt, head: Head, frames: Frames): Promise<SseFrame[] | Outcome> {
  const { deps, upstreamCodec } = attempt;
  const held: SseFrame[] = [];
  let bytes = 0;
  const patience = Promise.withResolvers<"enough">();
  let stop: (() => void) | undefined;
  try {
    for (;;) {
      const batch = await Promise.race([frames.peek(), patience.promise]);
      if (batch === "enough") return held;
      await frames.next();
      if (batch === undefined) throw cutShort();
      for (const [index, frame] of batch.entries()) {
        const kind = upstreamCodec.wire.kind(frame);
        if (kind === "error") return judgeEvent(attempt, head, frame.data ?? "");
        held.push(frame);
        bytes += frame.bytes.length;
        if (kind === "prelude") stop ??= deps.clock.after(HOLD_MS, () => patience.resolve("enough"));
        if (kind === "prelude" || kind === "aside") continue;
        return [...held, ...batch.slice(index + 1)];
      }
      if (bytes > HOLD_BYTES) return held;
    }
  } finally {
    stop?.();
  }
}

/** Passes complete events on. An outcome when they hold the end. */
async function pass(
  attempt: Attempt,
  head: Head,
  batch: readonly SseFrame[],
  stream: StreamConversion | undefined,
): Promise<Outcome | undefined> {
  const { exchange, tap, upstream } = attempt;
  const { client } = exchange;
  debugFrames(attempt, batch);
  const passed: SseFrame[] = [];
  let spoken = false;
  let failed: SseFrame | undefined;
  for (const frame of batch) {
    const kind = tap.see(frame);
    if (kind !== "aside") spoken = true;
    if (kind === "error") failed = frame;
    if (failed === undefined || stream === undefined) passed.push(frame);
    if (failed !== undefined || tap.ended) break;
  }
  const out = stream === undefined ? bytesOf(passed) : passed.map((frame) => stream.push(frame)).join("");
  const taken = client.write(out, spoken);
  if (taken !== undefined) await upstream.unheard(taken);
  if (client.left) return { kind: "gone" };
  if (failed !== undefined) return cutBy(attempt, head, failed, stream === undefined);
  if (stream?.failure !== undefined) return senseless(attempt, stream.failure);
  return tap.ended ? finish(attempt, stream) : undefined;
}

/** The upstream's true end. */
async function finish(attempt: Attempt, stream: StreamConversion | undefined): Promise<Outcome> {
  const { client } = attempt.exchange;
  await client.write(stream?.end() ?? "");
  if (stream?.failure !== undefined) return senseless(attempt, stream.failure);
  client.end();
  return { kind: "ok" };
}

/** A stream that cannot be translated on; the translation has told the client. */
function senseless({ exchange }: Attempt, fault: Failure): Outcome {
  exchange.client.end();
  return { kind: "cut", fault, blame: { on: "account" } };
}

/** The bytes of frames, which lie side by side in one buffer unless they were held or something was taken out. */
function bytesOf(frames: readonly SseFrame[]): Uint8Array {
  const first = frames[0]?.bytes;
  if (first === undefined) return new Uint8Array(0);
  if (frames.length === 1) return first;
  let end = first.byteOffset;
  for (const { bytes } of frames) {
    if (bytes.buffer !== first.buffer || bytes.byteOffset !== end) {
      return Buffer.concat(frames.map((frame) => frame.bytes));
    }
    end += bytes.length;
  }
  return new Uint8Array(first.buffer, first.byteOffset, end - first.byteOffset);
}

/** The upstream's own error event after content: in the client's protocol it has been passed on as it is. */
function cutBy(attempt: Attempt, head: Head, frame: SseFrame, told: boolean): Outcome {
  const outcome = judgeEvent(attempt, head, frame.data ?? "");
  if (told) attempt.exchange.client.end();
  if (outcome.kind === "next") return { kind: "cut", fault: outcome.fault, blame: outcome.blame };
  if (outcome.kind === "stop") return { kind: "cut", fault: outcome.fault, blame: { on: "nobody" } };
  return outcome;
}
