// Prompt caches live at one account: a conversation stays where it began, equal accounts share the conversations, and
// what is known of both outlives the process.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "../support/answers.ts";
import { get, post, type Reply } from "../support/client.ts";
import { account, CLIENT_KEY, credentialOf, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";
import { memoryRecords } from "../support/memory-records.ts";
import { pick, pickList, pickText, type JsonObject } from "../support/json-pick.ts";
import { judge, type Protocol } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { MODELS, PATHS, PROTOCOLS } from "../support/samples.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { until } from "./many.ts";
import { platformOf } from "./platform.ts";
import { recordedIn, startBy, WAYS_TO_START, type Started } from "./started.ts";

setDefaultTimeout(30_000);

const COMMAND = WAYS_TO_START[0];
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder for the gateway's data that stays when the gateway ends. */
function dataFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "gateway-data-"));
  folders.push(folder);
  return folder;
}

function configFor(upstream: Upstream, protocol: Protocol, data: string): JsonObject {
  const platform = platformOf(protocol);
  const accounts = ["a", "b"].map((name) => account(name, upstream.url, { platform }));
  return gatewayConfig(accounts, { data_dir: data, first_event_timeout: "10s", response_timeout: "10s" });
}

/** One turn: the history so far, with or without an id of the conversation in the headers. */
interface Turn {
  readonly protocol: Protocol;
  readonly conversation: string;
  readonly number: number;
  readonly named: boolean;
}

function bodyOf({ protocol, conversation, number }: Turn): JsonObject {
  const history = Array.from({ length: number }, (_, past) => [
    { role: "user", content: `${conversation}, question ${past}` },
    { role: "assistant", content: `answer ${past}` },
  ]).flat();
  const turns = [...history, { role: "user", content: `${conversation}, question ${number}` }];
  const stream = number % 2 === 0;
  if (protocol === "responses") return { model: MODELS.responses, input: turns, stream, store: false };
  const limit = protocol === "messages" ? { max_tokens: 64 } : {};
  return { model: MODELS[protocol], messages: turns, stream, ...limit };
}

async function take(gateway: Started, turn: Turn): Promise<Reply> {
  const headers = turn.named ? [["session-id", turn.conversation] as const] : [];
  const reply = await post(gateway.url, PATHS[turn.protocol], bodyOf(turn), { key: CLIENT_KEY, headers });
  expect([reply.status, judge(turn.protocol, reply).complete]).toEqual([200, true]);
  return reply;
}

/** Which accounts were asked in a conversation. */
function accountsOf(upstream: Upstream, conversation: string): string[] {
  const asked = upstream.requests.filter((request) => request.body.includes(`${conversation}, question 0`));
  return [...new Set(asked.map((request) => request.credential ?? ""))];
}

const TALKS = ["first talk", "second talk"] as const;
/** After a restart the other one speaks first, so that a gateway that has forgotten would deal anew. */
const REVERSED = [...TALKS].toReversed();

async function expectOnOwnAccounts(upstream: Upstream): Promise<string[]> {
  const homes = TALKS.map((talk) => accountsOf(upstream, talk));
  expect(homes.map((accounts) => accounts.length)).toEqual([1, 1]);
  expect(homes.flat().toSorted()).toEqual([credentialOf("a"), credentialOf("b")]);
  return homes.flat();
}

for (const protocol of PROTOCOLS) {
  for (const named of [true, false]) {
    const how = named ? "named by a header" : "known by their opening";
    test(`two ${protocol} conversations of one key, ${how}, each stay on an account of their own, also after a restart`, async () => {
      await using upstream = await startUpstream();
      upstream.otherwise(provider());
      const data = dataFolder();
      const homes: string[][] = [];
      let turns = 0;
      for (const order of [TALKS, REVERSED, REVERSED]) {
        await using gateway = await startBy(COMMAND, configFor(upstream, protocol, data));
        for (const number of [0, 1, 2, 3, 4, 5]) {
          const all = order.map((conversation): Turn => ({ protocol, conversation, number, named }));
          if (number < 3) for (const turn of all) await take(gateway, turn);
          else await Promise.all(all.map((turn) => take(gateway, turn)));
          turns += all.length;
        }
        homes.push(await expectOnOwnAccounts(upstream));
        expect(await gateway.active()).toBe(0);
        expect(await gateway.stop()).toBe(0);
      }
      expect(homes).toEqual([homes[0] ?? [], homes[0] ?? [], homes[0] ?? []]);
      expect(recordedIn(data).map((row) => row["outcome"])).toEqual(Array<string>(turns).fill("ok"));
    });
  }
}

test("a conversation stays on its account after a crash, once that has been written down", async () => {
  await using upstream = await startUpstream();
  upstream.otherwise(provider());
  const data = dataFolder();
  const turn = { protocol: "messages", number: 0, named: true } as const;
  await using gateway = await startBy(COMMAND, configFor(upstream, "messages", data));
  for (const conversation of TALKS) await take(gateway, { ...turn, conversation });
  await until(() => savedIn(data, "sticky") >= TALKS.length && recordedIn(data).length >= TALKS.length);
  await gateway.stop("SIGKILL");
  await using again = await startBy(COMMAND, configFor(upstream, "messages", data));
  for (const conversation of REVERSED) await take(again, { ...turn, conversation });
  await expectOnOwnAccounts(upstream);
  expect(await again.active()).toBe(0);
  expect(await again.stop()).toBe(0);
  expect(recordedIn(data)).toHaveLength(2 * TALKS.length);
});

test("an account that was sent away for two minutes is left alone after a restart as well, until the same time", async () => {
  await using upstream = await startUpstream();
  upstream.otherwise(provider());
  const limit = json(
    429,
    { type: "error", error: { type: "rate_limit_error", message: "Later." } },
    { "retry-after": "120" },
  );
  upstream.when({ credential: credentialOf("a") }, limit);
  const data = dataFolder();
  const untils: number[] = [];
  for (const round of [0, 1, 2]) {
    await using gateway = await startBy(COMMAND, configFor(upstream, "messages", data));
    for (const number of [0, 1, 2, 3])
      await take(gateway, {
        protocol: "messages",
        conversation: `talk ${round} ${number}`,
        number: 0,
        named: true,
      });
    untils.push(await coolingUntil(gateway, "a"));
    expect(await gateway.active()).toBe(0);
    expect(await gateway.stop()).toBe(0);
  }
  const [first = Number.NaN] = untils;
  expect(first - Date.now()).toBeGreaterThan(100_000);
  expect(first - Date.now()).toBeLessThan(133_000);
  for (const until of untils) expect(Math.abs(until - first)).toBeLessThan(1_000);
  expect(upstream.account(credentialOf("a")).requests).toHaveLength(1);
  expect(recordedIn(data)).toHaveLength(12);

  upstream.when({ credential: credentialOf("b") }, limit);
  await using alone = await startBy(COMMAND, configFor(upstream, "messages", data));
  const turn = { protocol: "messages", conversation: "last", number: 0, named: true } as const;
  const refused = await post(alone.url, PATHS.messages, bodyOf(turn), { key: CLIENT_KEY });
  expect([refused.status, refused.header("x-should-retry")]).toEqual([429, "false"]);
  const waitMs = Number(refused.header("retry-after")) * 1_000;
  // Whichever comes back first: both were sent away for two minutes and up to a tenth more.
  expect(waitMs).toBeGreaterThan(100_000);
  expect(Date.now() + waitMs).toBeLessThan(first + 3_000);
});

function savedIn(data: string, kind: string): number {
  const database = new Database(join(data, "sub2api.sqlite"), { readonly: true });
  try {
    return database.query("SELECT 1 FROM state WHERE kind = ?").all(kind).length;
  } finally {
    database.close();
  }
}

async function coolingUntil(gateway: Started, name: string): Promise<number> {
  const page = (await get(gateway.url, "/health", { key: CLIENT_KEY })).json();
  const detail = pickList(page, "account_details").find((each) => pick(each, "name") === name);
  expect(pick(detail, "state")).toBe("cooling");
  return Date.parse(pickText(detail, "until") ?? "");
}

test("a kept response is remembered where its account gave it, and not where it was translated", async () => {
  for (const [api, remembered] of [
    ["responses", 1],
    ["chat", 0],
    ["messages", 0],
  ] as const) {
    await using upstream = await startUpstream();
    upstream.otherwise(provider());
    const platform = platformOf(api);
    const one = account("one", upstream.url, { platform, more: { apis: [api], models: ["gpt-5"] } });
    const records = memoryRecords();
    await using gateway = await startGateway(gatewayConfig([one]), { records });
    const body = { model: "gpt-5", input: "Hello.", stream: true, store: true };
    expect((await post(gateway.url, PATHS.responses, body, { key: CLIENT_KEY })).status).toBe(200);
    await gateway.idle();
    expect([api, records.load("response", Date.now()).length]).toEqual([api, remembered]);
  }
});
