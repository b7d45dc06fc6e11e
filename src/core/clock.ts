// The real clock. Everything else asks for a Clock, so that tests can bring their own.

import type { Clock } from "./ports.ts";

/** Timers cannot be set further ahead than this (2^31 - 1 ms). */
const MAX_TIMER_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, Math.min(ms, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};
