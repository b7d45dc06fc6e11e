// What every decoder of a stream must keep, kept in one place: exactly one end, no success without the
// upstream's own end, no tool call whose arguments were cut off passed on as whole (clients repair cut JSON
// silently and run the tool), and a stop reason that agrees with what was said.

import { GatewayError } from "./errors.ts";
import type { CallHead, Stop, StreamEvent } from "./hub.ts";
import { parseObject } from "./json.ts";
import type { JsonObject } from "./json.ts";
import type { StreamDecoder } from "./ports.ts";

/** Reads one protocol's events, already parsed. */
export interface EventReader {
  read(event: JsonObject): readonly StreamEvent[];
  /** At the final marker or the end of the stream: the end, if nothing more was owed; else nothing. */
  finish(): readonly StreamEvent[];
}

/** Reasons for which an answer may break off within a call. */
const CUT_REASONS: ReadonlySet<string> = new Set(["length", "window", "safety", "cut"]);

class Guard {
  ended = false;
  #called = false;
  /** The call that is open, or closed with arguments that are not whole. */
  #call: CallHead | undefined;
  #pieces: string[] = [];
  #broken = false;

  check(events: readonly StreamEvent[]): StreamEvent[] {
    const passed: StreamEvent[] = [];
    for (const event of events) if (!this.ended) passed.push(...this.#step(event));
    return passed;
  }

  fail(code: "upstream_failed" | "upstream_cut", message: string): StreamEvent[] {
    this.ended = true;
    return [{ type: "error", error: new GatewayError(code, message) }];
  }

  #step(event: StreamEvent): readonly StreamEvent[] {
    if (event.type === "end") return this.#end(event);
    this.ended = event.type === "error";
    if (this.ended) return [event];
    if (this.#broken) return this.#failCall();
    switch (event.type) {
      case "block_open":
        this.#call = event.block.type === "call" ? event.block : undefined;
        this.#pieces = [];
        return [event];
      case "delta":
        if (this.#call?.kind === "function") this.#pieces.push(event.text);
        return [event];
      case "block_close":
        return this.#call === undefined ? [event] : this.#closeCall(event);
      default:
        return [event];
    }
  }

  #closeCall(event: StreamEvent & { type: "block_close" }): readonly StreamEvent[] {
    this.#called = true;
    if (this.#call?.kind === "function") {
      const text = this.#pieces.join("");
      // No arguments at all is a call without any; clients want an object.
      if (text.trim() === "") return [{ type: "delta", text: "{}" }, event];
      this.#broken = parseObject(text) === undefined;
    } else this.#broken = !event.whole;
    return this.#broken ? [] : [event];
  }

  #end(event: StreamEvent & { type: "end" }): StreamEvent[] {
    if (this.#broken && !CUT_REASONS.has(event.stop.reason)) return this.#failCall();
    this.ended = true;
    const end: StreamEvent = { ...event, stop: this.#settled(event.stop) };
    return this.#broken ? [{ type: "block_close", whole: false }, end] : [end];
  }

  /** Not every protocol has a word for an answer that ends in calls, and not every server uses it. */
  #settled(stop: Stop): Stop {
    if (stop.reason === "done" && this.#called) return { ...stop, reason: "tool_call" };
    if (stop.reason === "tool_call" && !this.#called) return { ...stop, reason: "done" };
    return stop;
  }

  #failCall(): StreamEvent[] {
    const name = this.#call?.name ?? "";
    return this.fail("upstream_failed", `the upstream broke off the arguments of a call to ${name}`);
  }
}

/** A decoder of frames around a reader of events. `marker` is data that ends a stream without being JSON. */
export function guarded(reader: EventReader, marker?: string): StreamDecoder {
  const guard = new Guard();
  return {
    push(frame) {
      const data = frame.data?.trim();
      if (guard.ended || data === undefined || data === "") return [];
      if (data === marker) return guard.check(reader.finish());
      const event = parseObject(data);
      if (event !== undefined) return guard.check(reader.read(event));
      return guard.fail("upstream_failed", "the upstream sent an event that is not JSON");
    },
    end: () => finish(guard, reader),
  };
}

/** The events of a whole answer, given as the stream that would have carried it. */
export function readWhole(reader: EventReader, events: readonly JsonObject[]): StreamEvent[] {
  const guard = new Guard();
  const read = events.flatMap((event) => guard.check(reader.read(event)));
  return [...read, ...finish(guard, reader)];
}

function finish(guard: Guard, reader: EventReader): StreamEvent[] {
  if (guard.ended) return [];
  const last = guard.check(reader.finish());
  if (guard.ended) return last;
  return [...last, ...guard.fail("upstream_cut", "the upstream's stream ended before the answer did")];
}
