// Puts the blocks of an answer one behind the other: upstreams may let them overlap, hub events never do. The
// first block that is still open streams through; what later ones bring waits for it.

import type { BlockHead, StreamEvent } from "./hub.ts";

interface Waiting {
  readonly key: string;
  readonly events: StreamEvent[];
  closed: boolean;
}

export class Sequence {
  /** The first one is live: its events are out already. */
  readonly #queue: Waiting[] = [];
  #ready: StreamEvent[] = [];

  /** The events that may go out since the last call. */
  take(): StreamEvent[] {
    const events = this.#ready;
    this.#ready = [];
    return events;
  }

  /** An event outside any block; behind all that are open. */
  put(event: StreamEvent): void {
    const last = this.#queue.at(-1);
    if (last === undefined) this.#ready.push(event);
    else this.#queue.push({ key: "", events: [event], closed: true });
  }

  open(key: string, block: BlockHead): void {
    this.#queue.push({ key, events: [], closed: false });
    this.add(key, { type: "block_open", block });
  }

  /** Nothing happens for a block that is closed or was never opened. */
  add(key: string, event: StreamEvent): void {
    const at = this.#queue.findLastIndex((waiting) => waiting.key === key && !waiting.closed);
    if (at === 0) this.#ready.push(event);
    else this.#queue[at]?.events.push(event);
  }

  close(key: string, whole = true): void {
    this.add(key, { type: "block_close", whole });
    const waiting = this.#queue.findLast((each) => each.key === key && !each.closed);
    if (waiting !== undefined) waiting.closed = true;
    this.#advance();
  }

  closeAll(): void {
    const open = this.#queue.filter((waiting) => !waiting.closed);
    for (const { key } of open) this.close(key);
  }

  #advance(): void {
    while (this.#queue[0]?.closed === true) {
      this.#queue.shift();
      const next = this.#queue[0];
      if (next !== undefined) this.#ready.push(...next.events.splice(0));
    }
  }
}
