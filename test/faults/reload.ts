// Rows about a configuration that changes under way: accounts that go, limits that shrink, files that are bad.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { held } from "../support/answers.ts";
import { post, type Reply } from "../support/client.ts";
import { CLIENT_KEY, gatewayConfig, secretsIn, SECOND_CLIENT_KEY } from "../support/gateway-config.ts";
import { spawnGateway, type ChildGateway } from "../support/gateway.ts";
import type { JsonObject } from "../support/json-pick.ts";
import { ask } from "../support/made-streams.ts";
import { judge } from "../support/oracle.ts";
import { provider } from "../support/provider.ts";
import { PATHS } from "../support/samples.ts";
import { startUpstream, type Answer } from "../support/upstream.ts";
import { expectGood, expectHits } from "./check.ts";
import {
  modelOf,
  accountOf,
  stage,
  until,
  wordsOf,
  type AccountName,
  type Case,
  type Row,
  type Stage,
} from "./row.ts";

const PATIENT = { first_event_timeout: "20s", response_timeout: "20s", stream_read_timeout: "20s" };

/** Requests that are under way at an upstream until they are let go one by one. */
class Station {
  readonly #gates: (() => void)[] = [];
  readonly #good: Answer;

  constructor(name: AccountName) {
    this.#good = provider({ text: wordsOf(name) });
  }

  get waiting(): number {
    return this.#gates.length;
  }

  readonly answer: Answer = async (request, connection) => {
    await new Promise<void>((resolve) => this.#gates.push(resolve));
    return this.#good(request, connection);
  };

  letGo(): void {
    this.#gates.shift()?.();
  }
}

function configOf(each: Case, on: Stage, accounts: Partial<Record<AccountName, JsonObject>>): JsonObject {
  const names = ["first", "second"] as const;
  const kept = names.filter((name) => accounts[name] !== undefined);
  return gatewayConfig(
    kept.map((name) => accountOf(each, name, on.upstream(name).url, accounts[name])),
    PATIENT,
  );
}

/** What runs on a removed account goes on; nothing new comes to it. */
async function removed(each: Case): Promise<void> {
  const gate = held(provider({ text: wordsOf("first") }));
  await using on = await stage(each, { accounts: [{ answer: gate.answer }, {}], config: PATIENT });
  const live = Array.from({ length: 4 }, (_, index) => on.ask({ text: `Conversation ${index}.` }));
  await until("four are under way", () => gate.waiting === 4);
  await on.gateway.reload(configOf(each, on, { second: {} }));
  for (let index = 0; index < 4; index += 1)
    await expectGood(on, await on.ask({ text: `Conversation ${index}.` }), "second");
  assert.equal(gate.waiting, 4);
  gate.release();
  for (const reply of await Promise.all(live)) await expectGood(on, reply, "first");
  expectHits(on, "first", 4);
}

/** Four run where two may: the next one waits until only one is left. */
async function lowered(each: Case): Promise<void> {
  const station = new Station("first");
  await using on = await stage(each, { accounts: [{ answer: station.answer }], config: PATIENT });
  const replies = Array.from({ length: 4 }, (_, index) => on.ask({ text: `Conversation ${index}.` }));
  await until("four are under way", () => station.waiting === 4);
  await on.gateway.reload(configOf(each, on, { first: { concurrency: 2 } }));
  for (let index = 4; index < 8; index += 1) replies.push(on.ask({ text: `Conversation ${index}.` }));
  await Bun.sleep(30);
  for (const left of [3, 2]) {
    station.letGo();
    await until(`${left} are left`, () => on.gateway.active() === left);
    await Bun.sleep(10);
    assert.equal(on.upstream("first").requests.length, 4, "nobody new while as many run as may");
  }
  for (let gone = 2; gone < 8; gone += 1) {
    await until("the next one came", () => on.upstream("first").requests.length >= Math.min(8, gone + 2));
    assert.ok(on.gateway.active() <= 2);
    await until("one of them can be let go", () => station.waiting > 0);
    station.letGo();
  }
  for (const reply of await Promise.all(replies)) await expectGood(on, reply, "first");
}

/** A limit that grows lets those in who wait. */
async function raised(each: Case): Promise<void> {
  const gate = held(provider({ text: wordsOf("first") }));
  const accounts = [{ answer: gate.answer, more: { concurrency: 1 } }];
  await using on = await stage(each, { accounts, config: PATIENT });
  const replies = Array.from({ length: 3 }, (_, index) => on.ask({ text: `Conversation ${index}.` }));
  await until("one is under way", () => gate.waiting === 1);
  await on.gateway.reload(configOf(each, on, { first: { concurrency: 3 } }));
  await until("all are", () => gate.waiting === 3);
  gate.release();
  for (const reply of await Promise.all(replies)) await expectGood(on, reply, "first");
}

const BAD: readonly string[] = ["", "{", "null", "[]", '{"accounts": []}', '{"acounts": 1}', "\u0000\u0001"];

async function badFiles(each: Case): Promise<void> {
  await using upstream = await startUpstream();
  upstream.otherwise(provider({ deltas: 40, sse: { delayMs: 30 } }));
  const config = gatewayConfig([accountOf(each, "first", upstream.url)], PATIENT);
  await using gateway = await spawnGateway(config);
  const whole = JSON.stringify(gatewayConfig([accountOf(each, "renamed", upstream.url)], PATIENT));
  const live = askAt(gateway, each, CLIENT_KEY);
  for (const text of [...BAD, whole.slice(0, 200)]) {
    const before = count(gateway.output(), "config-refused");
    await gateway.file.write(text);
    gateway.signal("SIGHUP");
    const isRefused = (): boolean => count(gateway.output(), "config-refused") > before;
    await until(`${text.slice(0, 20)} is refused`, isRefused, 10_000);
  }
  await until("it is said", () => count(gateway.output(), "stays in force") >= BAD.length);
  assert.equal(await checked(gateway, whole.slice(0, 200)), 1);
  assert.equal(await checked(gateway, whole), 0);
  expectAnswered(each, await live);
  expectAnswered(each, await askAt(gateway, each, CLIENT_KEY));
  await writtenSlowly(gateway, whole);
  expectAnswered(each, await askAt(gateway, each, SECOND_CLIENT_KEY));
  await until("the new account has served", () => gateway.output().includes('"account":"renamed"'));
  await gateway.file.write({ ...config, listen_addr: "127.0.0.1:1" });
  await until("a new address waits for a start", () => gateway.output().includes('"settings":"listen_addr"'));
  expectAnswered(each, await askAt(gateway, each, CLIENT_KEY));
}

/** Half a file, a pause, the rest: what is read in between is bad, and the whole is taken without being asked to. */
async function writtenSlowly(gateway: ChildGateway, whole: string): Promise<void> {
  await writeFile(gateway.file.path, whole.slice(0, 300));
  await Bun.sleep(30);
  await writeFile(gateway.file.path, whole.slice(300), { flag: "a" });
  await until("the new config is in force", () => gateway.output().includes("config-reloaded"), 5000);
}

function askAt(gateway: ChildGateway, each: Case, key: string): Promise<Reply> {
  return post(gateway.url, PATHS[each.client], ask(each.client, { ...each, model: modelOf(each) }), { key });
}

function expectAnswered(each: Case, reply: Reply): void {
  assert.equal(reply.status, 200, reply.text());
  const { complete, problems } = judge(each.client, reply);
  assert.deepEqual([complete, problems, secretsIn(reply.raw.toString())], [true, [], []]);
}

function count(text: string, word: string): number {
  return text.split(word).length - 1;
}

/** The exit code of `check`. */
async function checked(gateway: ChildGateway, text: string): Promise<number> {
  const path = join(gateway.file.folder, "checked.json");
  await writeFile(path, text, { mode: 0o600 });
  const main = join(import.meta.dirname, "..", "..", "src", "main.ts");
  const child = Bun.spawn([process.execPath, main, "check", "-config", path], {
    stdout: "ignore",
    stderr: "ignore",
  });
  return child.exited;
}

export const ROWS: readonly Row[] = [
  {
    number: 54,
    title: "reload: what runs goes on, limits by attrition, bad file refused",
    async run(each) {
      await removed(each);
      await lowered(each);
      await raised(each);
      // A process of its own: the same code whatever the protocol.
      if (each.client === "messages") await badFiles(each);
    },
  },
];
