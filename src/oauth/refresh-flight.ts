// The one renewal of an account that everybody waits for. It belongs to nobody: no caller can end it.

import type { Renewal } from "../core/login.ts";
import type { Clock, Log } from "../core/ports.ts";
import type { Held } from "./custody-held.ts";
import type { KeepTools } from "./custody-keep.ts";
import { createLanes } from "./refresh-lane.ts";
import { type Attempt, renewOnce } from "./refresh.ts";

/** How long a caller waits. */
const PATIENCE_MS = 35_000;
/** Longer than another process takes, as a rule: then it is said, and nobody waits for it any more. */
const BUSY_MS = 5_000;
/** Longer than a claim of a process that has died. */
const MAX_FLIGHT_MS = 120_000;
const FIRST_LOOK_MS = 20;
const MAX_LOOK_MS = 1_000;

export interface FlightOptions extends KeepTools {
  /** No renewal begins any more. */
  readonly isClosed: () => boolean;
  /** Something has come of it. */
  readonly onEnd: (held: Held) => void;
}

export interface Flights {
  /** Renews in the background. */
  start(held: Held): void;
  /** Renews, or joins who is at it already. */
  wait(held: Held): Promise<Renewal>;
  /** Resolves when no renewal is under way, or after `ms`. */
  settled(ms: number): Promise<void>;
}

export function createFlights(options: FlightOptions): Flights {
  const { clock, isClosed, onEnd } = options;
  const lanes = createLanes();
  const running = new Set<Promise<Renewal>>();

  const inLane = async (held: Held): Promise<Attempt> => {
    const { issuer, clientId } = held.document ?? held.account;
    const leave = await lanes.enter(JSON.stringify([issuer, clientId]), () => held.isUrgent);
    try {
      return isClosed() || held.isGone ? "later" : await renewOnce(held, options);
    } finally {
      leave();
    }
  };

  const join = (held: Held): Promise<Renewal> => {
    if (held.flight !== undefined) return held.flight;
    const flight = fly(held, () => inLane(held), options)
      .catch((): Renewal => "later")
      .finally(() => {
        running.delete(flight);
        held.flight = undefined;
        held.isUrgent = false;
        held.blocked = undefined;
        onEnd(held);
      });
    held.flight = flight;
    held.blocked = Promise.withResolvers();
    running.add(flight);
    return flight;
  };

  return {
    start: (held) => void join(held),
    wait(held) {
      held.isUrgent = true;
      const flight = join(held);
      if (held.blocked === undefined) return Promise.resolve("later");
      return within<Renewal>(clock, PATIENCE_MS, Promise.race([flight, held.blocked.promise]), "later");
    },
    settled: (ms) =>
      within(
        clock,
        ms,
        Promise.all(running).then(() => undefined),
        undefined,
      ),
  };
}

/** Tries until it is clear what comes of it, or for too long. */
async function fly(held: Held, once: () => Promise<Attempt>, { clock, log }: KeepTools): Promise<Renewal> {
  let end: number | undefined;
  let busyFrom: number | undefined;
  for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(MAX_LOOK_MS, 2 * lookMs)) {
    const attempt = await once();
    if (attempt !== "busy" && attempt !== "again") return attempt;
    // The time in the queue before does not count.
    end ??= clock.now() + MAX_FLIGHT_MS;
    busyFrom = attempt === "busy" ? (busyFrom ?? clock.now()) : undefined;
    if (busyFrom !== undefined && clock.now() - busyFrom >= BUSY_MS) giveUpWaiting(held, log);
    if (clock.now() >= end) {
      held.failed();
      return "later";
    }
    await pause(clock, lookMs);
  }
}

/** Another process is at it for so long that it may well be gone. */
function giveUpWaiting(held: Held, log: Log): void {
  if (held.blocked === undefined) return;
  log({ level: "warn", event: "login-busy", fields: { account: held.name } });
  held.blocked.resolve("later");
  held.blocked = undefined;
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}

/** What comes first: the work, or the end of the time. */
export async function within<T>(clock: Clock, ms: number, work: Promise<T>, otherwise: T): Promise<T> {
  const late = Promise.withResolvers<T>();
  const cancel = clock.after(ms, () => late.resolve(otherwise));
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    cancel();
  }
}
