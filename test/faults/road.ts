// Faults of the road to an upstream: names that lead nowhere, certificates that are not to be trusted.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { expectGood } from "./check.ts";
import { PATIENT, stage, type Case, type Row } from "./row.ts";
import { AT_ONCE_MS, listener, passedOver } from "./unreached.ts";

const CERTIFICATES = join(import.meta.dirname, "..", "fixtures", "tls");

async function nameLeadsNowhere(each: Case): Promise<void> {
  await passedOver(each, "https://nobody.invalid", { withinMs: 15_000 });
}

/** Who answers a TLS greeting in ways that are no TLS. */
const GREETINGS: Readonly<Record<string, (socket: Socket) => void>> = {
  "no TLS": (socket) => void socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
};

async function untrusted(each: Case): Promise<void> {
  for (const name of ["good", "elsewhere", "expired"]) {
    const [cert, key] = ["pem", "key"].map((kind) =>
      readFileSync(join(CERTIFICATES, `${name}.${kind}`), "utf8"),
    );
    let hits = 0;
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { cert: cert ?? "", key: key ?? "" },
      fetch: () => ((hits += 1), new Response("{}")),
    });
    try {
      await passedOver(each, `https://localhost:${server.port}`);
      assert.equal(hits, 0, `nothing is sent to a server with the certificate "${name}"`);
    } finally {
      await server.stop(true);
    }
  }
  for (const greet of Object.values(GREETINGS)) {
    await using server = await listener((socket) => socket.once("data", () => greet(socket)));
    await passedOver(each, `https://localhost:${server.port}`);
  }
}

/** A server that takes the greeting and says nothing is given up when the connect timeout is over, or the answer's. */
async function stalledGreeting(each: Case): Promise<void> {
  await using server = await listener(() => undefined);
  const config = {
    ...PATIENT,
    connect_timeout: "400ms",
    first_event_timeout: "600ms",
    response_timeout: "600ms",
  };
  const url = `https://localhost:${server.port}`;
  await using play = await stage(each, { accounts: [{ url }, {}], config });
  const reply = await play.ask();
  await expectGood(play, reply, "second");
  assert.ok(
    reply.endAtMs > 150 && reply.endAtMs < AT_ONCE_MS,
    `after the limit, not after ${reply.endAtMs} ms`,
  );
}

export const ROWS: readonly Row[] = [
  { number: 3, title: "a name that leads nowhere: as a refused connection", run: nameLeadsNowhere },
  {
    number: 4,
    title: "a certificate not to be trusted, or no TLS: nothing is sent",
    async run(each) {
      await untrusted(each);
      await stalledGreeting(each);
    },
  },
];
