// The recorded streams, in every kind of line end, cut once anywhere and twice anywhere within two neighbouring events:
// further apart cuts know nothing of each other, since the reader keeps nothing of a frame that has left.
import type { SseFrame } from "../../src/core/sse.ts";
import { PROTOCOLS, sampleStream, STREAM_NAMES } from "../support/samples.ts";
import { splitEvents, withLineEnds } from "../support/sse-text.ts";
import { eventsOf, read } from "./sse.ts";
import { Wrong, type Target } from "./target.ts";

/** Two events, or a whole stream, with what is to be read in them however they come. */
interface Piece {
  readonly name: string;
  readonly bytes: Buffer;
  readonly events: readonly string[];
  readonly frames: readonly SseFrame[];
}

/** A first cut in the first of two events, or anywhere in a stream where it is the only one. */
interface Place {
  readonly whole: Piece;
  readonly wholeAt: number;
  readonly two: Piece;
  readonly twoAt: number;
}

function framesOf(parts: readonly Uint8Array[]): readonly SseFrame[] {
  const { frames, last } = read(parts);
  return last === undefined ? frames : [...frames, last];
}

function pieceOf(name: string, bytes: Buffer): Piece {
  const frames = framesOf([bytes]);
  return { name, bytes, events: eventsOf(frames), frames };
}

/** All first cuts, in order; seeds step through them in strides, so that a few are not all of the same stream. */
function placesOf(): Place[] {
  const places: Place[] = [];
  for (const end of ["\n", "\r\n", "\r"] as const)
    for (const protocol of PROTOCOLS)
      for (const stream of STREAM_NAMES) {
        const name = `${protocol} ${stream} in ${JSON.stringify(end)}`;
        const whole = pieceOf(name, withLineEnds(sampleStream(protocol, stream), end));
        const events = splitEvents(whole.bytes);
        let from = 0;
        for (const [index, event] of events.entries()) {
          const two = pieceOf(`${name}, event ${index}`, Buffer.concat(events.slice(index, index + 2)));
          for (let twoAt = 0; twoAt < event.length; twoAt += 1)
            places.push({ whole, wholeAt: from + twoAt, two, twoAt });
          from += event.length;
        }
      }
  return places;
}

const PLACES = placesOf();
const STRIDE = 7_919;

function check({ name, bytes, events, frames }: Piece, cuts: readonly number[]): void {
  const parts = [...cuts, bytes.length].map((to, index) => bytes.subarray(cuts[index - 1] ?? 0, to));
  const found = framesOf(parts);
  if (found.length === frames.length && found.every(({ bytes }, at) => isSame(bytes, frames[at]?.bytes)))
    return;
  // Only the LF of a parted CRLF may stand in the frame behind it.
  const passed = Buffer.concat(found.map((frame) => frame.bytes));
  if (!bytes.subarray(0, passed.length).equals(passed) || !Bun.deepEquals(eventsOf(found), events))
    throw new Wrong(`${name}, cut at ${cuts.join(" and ")}: ${JSON.stringify(eventsOf(found))}`);
}

function isSame(one: Uint8Array, other: Uint8Array | undefined): boolean {
  return other !== undefined && Buffer.compare(one, other) === 0;
}

export const splits: Target = {
  name: "splits",
  inputs: PLACES.length,
  short: 250,
  open: () => ({
    jobs: 1,
    play(seed) {
      const place = PLACES[(seed * STRIDE) % PLACES.length];
      if (place === undefined) return;
      check(place.whole, [place.wholeAt]);
      for (let second = place.twoAt; second <= place.two.bytes.length; second += 1)
        check(place.two, [place.twoAt, second]);
    },
  }),
};
