// What rows about the road to an upstream have in common: that it leads nowhere, and who stands in the way.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import type { JsonObject } from "../support/json-pick.ts";
import { expectAttempts, expectError, expectGood, expectNotCooled, type Expected } from "./check.ts";
import { PATIENT, stage, type Case } from "./row.ts";

export const FAILED = {
  status: 502,
  anthropic: "api_error",
  openai: "server_error",
  code: "upstream_failed",
};
export const TIMED_OUT = {
  status: 504,
  anthropic: "timeout_error",
  openai: "server_error",
  code: "upstream_timeout",
};
const AT_ONCE_MS = 3_000;

export interface Ways {
  /** Further members of the account. */
  readonly more?: JsonObject;
  /** Further members of the config. */
  readonly config?: JsonObject;
  /** Whom it is blamed on. */
  readonly blamed?: "route" | "account";
  /** What a client is told when there is no other account. */
  readonly told?: Expected;
}

/** The first account cannot be reached: the next answers at once, nobody rests; alone, its error is told. */
export async function passedOver(each: Case, url: string, ways: Ways = {}): Promise<void> {
  const { more = {}, blamed = "route", told = FAILED } = ways;
  const config = { ...PATIENT, ...ways.config };
  {
    await using play = await stage(each, { accounts: [{ url, more }, {}], config });
    const reply = await play.ask();
    await expectGood(play, reply, "second");
    await expectAttempts(play, reply, `first:${blamed} second:ok`);
    assert.ok(reply.endAtMs < AT_ONCE_MS, `at once, not after ${reply.endAtMs} ms`);
    expectNotCooled(play, "first");
  }
  await using alone = await stage(each, { accounts: [{ url, more }], config });
  const verdict = await expectError(each, alone, await alone.ask(), told);
  assert.doesNotMatch(verdict.error?.message ?? "", /invalid|localhost|127\.0\.0\.1/, "no address is told");
}

export interface Listener extends AsyncDisposable {
  readonly port: number;
  /** Connections so far. */
  readonly accepted: number;
}

/** Somebody who takes connections and does this with each. */
export async function listener(greet: (socket: Socket) => void): Promise<Listener> {
  const open = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    open.add(socket);
    socket.on("error", () => undefined).on("close", () => open.delete(socket));
    greet(socket);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get accepted() {
      return accepted;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

/** All but `self` are signed by the authority that lies beside them; `expired` and `self` are for localhost, as is `good`. */
export type CertificateName = "good" | "elsewhere" | "expired" | "self";

const FOLDER = join(import.meta.dirname, "..", "fixtures", "tls");
export const AUTHORITY = join(FOLDER, "authority.pem");

export function certificate(name: CertificateName): { readonly cert: string; readonly key: string } {
  const read = (kind: string): string => readFileSync(join(FOLDER, `${name}.${kind}`), "utf8");
  return { cert: read("pem"), key: read("key") };
}
