// Chance for inputs: everything an input is made of comes from one number, so that it can be made again alone.
import type { Random } from "../../src/core/ports.ts";
import { seeded } from "../support/seeded.ts";

export class Dice {
  readonly random: Random;

  constructor(seed: number) {
    // Neighbouring seeds would begin alike.
    this.random = seeded(Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995);
  }

  /** 0 … `count` - 1. */
  below(count: number): number {
    return Math.floor(this.random() * count);
  }

  /** True in so many of 100 cases. */
  percent(share: number): boolean {
    return this.random() * 100 < share;
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new Error("there is nothing to pick from");
    return found;
  }

  /** `make` called 0 … `most` times. */
  some<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }

  bytes(most: number): Buffer {
    return Buffer.from(this.some(most, () => this.below(256)));
  }
}

/** What damage is done with, beside what the input itself holds. */
export type Crumbs = readonly Uint8Array[];

/** The bytes after `times` small accidents: something lost, doubled, moved, turned over or put in. */
export function damaged(dice: Dice, bytes: Buffer, times: number, crumbs: Crumbs): Buffer {
  let now = bytes;
  for (let turn = 0; turn < times; turn += 1) now = damagedOnce(dice, now, crumbs);
  return now;
}

function damagedOnce(dice: Dice, bytes: Buffer, crumbs: Crumbs): Buffer {
  const at = dice.below(bytes.length + 1);
  const span = dice.percent(70) ? dice.below(4) : dice.below(60);
  const [before, piece, after] = [bytes.subarray(0, at), bytes.subarray(at, at + span), bytes.subarray(at)];
  const kind = dice.below(6);
  if (kind === 0) return Buffer.concat([before, bytes.subarray(at + span)]);
  if (kind === 1) return Buffer.concat([before, piece, after]);
  if (kind === 2) {
    const to = dice.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)]);
  }
  if (kind === 3) {
    const copy = Buffer.from(bytes);
    if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << dice.below(8));
    return copy;
  }
  if (kind === 4) return Buffer.concat([before, dice.bytes(3), after]);
  return Buffer.concat([before, dice.pick(crumbs), after]);
}
