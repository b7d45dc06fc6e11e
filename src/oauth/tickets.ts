// One-time tickets: whoever holds one may sign in one account, once, from anywhere. Shown when the gateway starts, so
// that an operator can open the link in any browser.

import type { Clock } from "../core/ports.ts";
import { createKey } from "./keys.ts";

export interface Tickets {
  /** A ticket of 256 random bits, good for one hour. */
  issue(account: string): string;
  /** True once for a ticket that was issued for this account. */
  take(ticket: string, account: string): boolean;
}

const TICKET_MS = 3_600_000;
/** Above that the oldest go. Each account that needs a login gets one at start. */
const MAX_TICKETS = 2_048;

export function createTickets(clock: Clock): Tickets {
  /** SHA-256 of the ticket -> what it is for, oldest first. `endsAt` is monotonic. */
  const open = new Map<string, { readonly account: string; readonly endsAt: number }>();
  const dropStale = (): void => {
    for (const [hash, { endsAt }] of open) {
      if (endsAt > clock.now() && open.size < MAX_TICKETS) return;
      open.delete(hash);
    }
  };
  return {
    issue(account) {
      dropStale();
      const { text, hash } = createKey();
      open.set(hash, { account, endsAt: clock.now() + TICKET_MS });
      return text;
    },
    take(ticket, account) {
      const { hash } = createKey(ticket);
      const found = open.get(hash);
      if (found === undefined || found.account !== account) return false;
      open.delete(hash);
      return found.endsAt > clock.now();
    },
  };
}
