// What sockets remember between requests: each the conversation until its last answer, all together up to a bound.

import { LRUCache } from "lru-cache";

/** What the next request may go on from. */
export interface Conversation {
  /** The last answer's id. */
  readonly id: string;
  /** All items until now, as they stand between the brackets of a list. */
  readonly items: Uint8Array;
}

/** Whose conversation it is. */
export interface Owner {
  /** Whether an answer is under way, after which there will be a newer conversation. */
  readonly busy: boolean;
  /** Sends the client to a new socket, where it says everything again. */
  leave(reason: string): void;
}

export interface Memory {
  get(owner: Owner): Conversation | undefined;
  /** False when it is too large to be kept. */
  set(owner: Owner, conversation: Conversation): boolean;
  delete(owner: Owner): void;
}

/** Of more than `maxBytes`, those conversations are forgotten that have rested longest. */
export function createMemory(maxBytes: number): Memory {
  const conversations = new LRUCache<Owner, Conversation>({
    maxSize: maxBytes,
    sizeCalculation: ({ items }) => items.length + 1,
    // After, because an owner that leaves deletes what is its own.
    disposeAfter: (_, owner, why) => {
      if (why === "evict" && !owner.busy) owner.leave("the conversation has rested too long");
    },
  });
  return {
    get: (owner) => conversations.get(owner),
    set: (owner, conversation) => conversations.set(owner, conversation).has(owner),
    delete: (owner) => void conversations.delete(owner),
  };
}
