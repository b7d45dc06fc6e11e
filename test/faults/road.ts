// Faults of the road to an upstream: names that lead nowhere, certificates that are not to be trusted, greetings that
// are no TLS or never end.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { expectAttempts, expectError, expectGood, expectHits, expectNotCooled } from "./check.ts";
import { hangingNames, trustedAuthority } from "./machine.ts";
import { chanceOf, PATIENT, stage, type Case, type Row } from "./row.ts";
import { certificate, FAILED, listener, passedOver, TIMED_OUT, type Ways } from "./unreached.ts";

/** No label may be so long: nobody has that name, and no resolver that might be slow is asked for it. */
const NOWHERE = `https://${"nobody".repeat(11)}.invalid`;

async function nameLeadsNowhere(each: Case): Promise<void> {
  await passedOver(each, NOWHERE);
  await othersThereAreSkipped(each);
}

/** Three tries at most fail in passing ways: they are not spent on one host. */
async function othersThereAreSkipped(each: Case): Promise<void> {
  const there = { url: NOWHERE };
  {
    await using play = await stage(each, { accounts: [there, there, there, {}], config: PATIENT });
    const reply = await play.ask();
    await expectGood(play, reply, "fourth");
    await expectAttempts(play, reply, "first:route fourth:ok");
  }
  await using nobody = await stage(each, { accounts: [there, there], config: PATIENT });
  const reply = await nobody.ask();
  await expectError(each, nobody, reply, FAILED);
  await expectAttempts(nobody, reply, "first:route");
  // Its own proxy is another road to the same host.
  const apart = { url: NOWHERE, more: { proxy: "http://127.0.0.1:1" } };
  await using play = await stage(each, { accounts: [there, apart, {}], config: PATIENT });
  const other = await play.ask();
  await expectGood(play, other, "third");
  await expectAttempts(play, other, "first:route second:route third:ok");
  expectNotCooled(play, "first");
}

interface Greeting {
  readonly act: (socket: Socket) => void;
  readonly ways?: Ways;
}

const ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 40]);
/** Of a handshake of 512 bytes the first. */
const BEGUN = Buffer.from([22, 3, 3, 2, 0, 2, 0, 1, 252, 3, 3]);
const SLOW: Ways = { config: { connect_timeout: "200ms" }, told: TIMED_OUT };

/** What may come back for a TLS greeting. */
const GREETINGS: Readonly<Record<string, Greeting>> = {
  "no TLS": { act: (socket) => socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n") },
  "an alert": { act: (socket) => socket.end(ALERT) },
  "a reset": { act: (socket) => socket.resetAndDestroy(), ways: { blamed: "account" } },
  "a close": { act: (socket) => socket.end(), ways: { blamed: "account" } },
  "half an answer": { act: (socket) => socket.write(BEGUN), ways: SLOW },
  nothing: { act: () => undefined, ways: SLOW },
};

async function greeted(each: Case): Promise<void> {
  const chance = chanceOf(each);
  for (const [what, { act, ways }] of Object.entries(GREETINGS)) {
    // The first seed plays all of them, the others some.
    if ((each.seed ?? 0) > 0 && chance() > 0.4) continue;
    await using server = await listener((socket) => socket.once("data", () => act(socket)));
    await passedOver(each, `https://localhost:${server.port}`, ways).catch((problem: unknown) => {
      throw new Error(`greeted with ${what}`, { cause: problem });
    });
  }
}

/** Nobody vouches for any of these but the last, for whom this process takes no authority. */
async function untrusted(each: Case): Promise<void> {
  for (const name of ["expired", "elsewhere", "self", "good"] as const) {
    let hits = 0;
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: certificate(name),
      fetch: () => ((hits += 1), new Response("{}")),
    });
    try {
      await passedOver(each, `https://localhost:${server.port}`);
      assert.equal(hits, 0, `nothing is sent to a server with the certificate "${name}"`);
    } finally {
      await server.stop(true);
    }
  }
}

/** A request that may not be sent twice goes on: nothing of it has left. */
async function nothingHasLeft(each: Case): Promise<void> {
  if (each.client !== each.upstream || each.client === "messages") return;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: certificate("self"),
    fetch: () => new Response(),
  });
  try {
    const url = `https://localhost:${server.port}`;
    await using play = await stage(each, { accounts: [{ url }, {}], config: PATIENT });
    await expectGood(play, await play.ask({ extra: { store: true } }), "second");
    expectHits(play, "second", 1);
  } finally {
    await server.stop(true);
  }
}

export const ROWS: readonly Row[] = [
  {
    number: 3,
    title: "a name that leads nowhere, or for ever: others on that host are skipped",
    async run(each) {
      await nameLeadsNowhere(each);
      await hangingNames(each);
    },
  },
  {
    number: 4,
    title: "expired, elsewhere, self-signed, no TLS, stalled: nothing is sent",
    async run(each) {
      await untrusted(each);
      await greeted(each);
      await nothingHasLeft(each);
      await trustedAuthority(each);
    },
  },
];
