// One renewal at a time for each client of an issuer: there are reports that parallel ones of sibling accounts have cost
// the whole family of tokens. What somebody waits for goes first, else first come first served.

interface Waiter {
  readonly isUrgent: () => boolean;
  readonly go: () => void;
}

export interface Lanes {
  /** Resolves when the lane is free; the result gives it on, and must be called exactly once. */
  enter(lane: string, isUrgent: () => boolean): Promise<() => void>;
}

export function createLanes(): Lanes {
  /** The lanes that are taken, with those who wait. */
  const lanes = new Map<string, Waiter[]>();
  const leave = (lane: string): void => {
    const waiters = lanes.get(lane) ?? [];
    const place = Math.max(
      0,
      // Asked now: somebody may have come to wait since.
      waiters.findIndex((waiter) => waiter.isUrgent()),
    );
    const [next] = waiters.splice(place, 1);
    if (next === undefined) lanes.delete(lane);
    else next.go();
  };
  return {
    enter(lane, isUrgent) {
      const { promise, resolve } = Promise.withResolvers<() => void>();
      const go = (): void => resolve(() => leave(lane));
      const waiters = lanes.get(lane);
      if (waiters === undefined) {
        lanes.set(lane, []);
        go();
      } else waiters.push({ isUrgent, go });
      return promise;
    },
  };
}
