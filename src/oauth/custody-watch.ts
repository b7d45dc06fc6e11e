// Work that is done again and again, each time so long after it has ended.

import type { Clock } from "../core/ports.ts";

export interface Round {
  readonly ms: number;
  /** May fail: the next one may not. */
  readonly work: () => Promise<void>;
}

export interface Watch {
  /** Does nothing when it has begun before. */
  begin(rounds: readonly Round[]): void;
  end(): void;
}

export function createWatch(clock: Clock): Watch {
  const timers = new Map<Round, () => void>();
  let state: "new" | "on" | "off" = "new";
  const wait = (round: Round): void => {
    if (state !== "on") return;
    const again = (): void => wait(round);
    timers.set(
      round,
      clock.after(round.ms, () => void round.work().then(again, again)),
    );
  };
  return {
    begin(rounds) {
      if (state !== "new") return;
      state = "on";
      for (const round of rounds) wait(round);
    },
    end() {
      state = "off";
      for (const cancel of timers.values()) cancel();
    },
  };
}
