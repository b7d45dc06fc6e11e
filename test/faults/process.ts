// Faults of the machine under the gateway, as its operator meets them: a damaged or unwritable data folder, no files left
// to open, a log that nobody reads. Each plays with the program as users start it.
import assert from "node:assert/strict";
import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { post, type Reply } from "../support/client.ts";
import { CLIENT_KEY, gatewayConfig, writeConfig, type ConfigFile } from "../support/gateway-config.ts";
import { MAIN, spawnGateway, type ChildGateway } from "../support/gateway.ts";
import type { JsonObject } from "../support/json-pick.ts";
import { ask } from "../support/made-streams.ts";
import { judge } from "../support/oracle.ts";
import { closedPort } from "../support/ports.ts";
import { provider } from "../support/provider.ts";
import { PATHS } from "../support/samples.ts";
import { startUpstream } from "../support/upstream.ts";
import { accountOf, chanceOf, counted, modelOf, until, WHOLE, type Case, type Row } from "./row.ts";

/** None of these depends on the protocol. */
const ONCE: readonly Case[] = WHOLE.slice(0, 1);
const FILES = 128;

const configFor = (each: Case, url: string, more: JsonObject = {}): JsonObject =>
  gatewayConfig([accountOf(each, "first", url)], {
    first_event_timeout: "9s",
    response_timeout: "9s",
    ...more,
  });

function asks(gateway: ChildGateway, each: Case, count: number): Promise<Reply[]> {
  const body = (index: number): JsonObject =>
    ask(each.client, { ...each, model: modelOf(each), text: `Number ${index}.` });
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      post(gateway.url, PATHS[each.client], body(index), { key: CLIENT_KEY }),
    ),
  );
}

function allGood(each: Case, replies: readonly Reply[]): void {
  for (const reply of replies)
    assert.ok(judge(each.client, reply).complete, `${reply.status} ${reply.end}: ${reply.text()}`);
}

/** Runs the program until it serves, and then stops it, or until it ends by itself. */
async function started(
  file: ConfigFile,
  args: readonly string[] = [],
): Promise<{ readonly code: number; readonly said: string }> {
  const command = [process.execPath, MAIN, "-config", file.path, ...args];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  let said = "";
  const listen = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      said += decoder.decode(bytes, { stream: true });
      // It has said so a moment before it listens to signals.
      if (said.includes("client key(s)")) setTimeout(() => child.kill("SIGTERM"), 400);
    }
  };
  await Promise.all([child.stdout, child.stderr].map(listen));
  return { code: await child.exited, said };
}

/** The same database before and after it was damaged at a place of the seed's choosing. */
async function damagedDatabase(each: Case): Promise<void> {
  await using upstream = await startUpstream();
  upstream.otherwise(provider({}));
  const file = await writeConfig({
    ...configFor(each, upstream.url),
    listen_addr: `127.0.0.1:${await closedPort()}`,
  });
  const folder = join(file.folder, "data");
  try {
    assert.equal((await started(file)).code, 0);
    const path = join(folder, "sub2api.sqlite");
    const sound = readFileSync(path);
    const at = Math.floor(chanceOf(each)() * 16);
    const damaged = Buffer.concat([sound.subarray(0, at), Buffer.alloc(60, 0xa5), sound.subarray(at + 60)]);
    for (const bytes of [
      damaged,
      Buffer.from("Somebody else's notes."),
      sound.subarray(0, sound.length / 2),
    ]) {
      writeFileSync(path, bytes);
      const { code, said } = await started(file);
      assert.notEqual(
        code,
        0,
        `it starts on ${bytes.subarray(0, 20).toString("latin1")} of ${bytes.length} bytes: ${said}`,
      );
      assert.match(said, /sub2api\.sqlite/, `it names the file: ${said}`);
      assert.deepEqual(readFileSync(path), bytes, "it leaves the file as it is");
    }
    const { said } = await started(file, ["--recover"]);
    assert.match(said, /listens on/, said);
    assert.ok(
      readdirSync(folder).some((name) => name.includes("corrupt")),
      "the damaged one is kept",
    );
  } finally {
    await file.remove();
  }
  await using gateway = await spawnGateway(configFor(each, upstream.url));
  allGood(each, await asks(gateway, each, 1));
  counted(each);
}

/** Modes that are too wide are narrowed, and a place that cannot be written to is named. */
async function foldersAndModes(each: Case): Promise<void> {
  await using upstream = await startUpstream();
  upstream.otherwise(provider({}));
  const file = await writeConfig({
    ...configFor(each, upstream.url),
    listen_addr: `127.0.0.1:${await closedPort()}`,
  });
  try {
    await started(file);
    const folder = join(file.folder, "data");
    const kept = readdirSync(folder).map((name) => join(folder, name));
    for (const path of kept) chmodSync(path, 0o666);
    chmodSync(folder, 0o777);
    await started(file);
    for (const path of kept.filter((name) => !/-(wal|shm)$/.test(name)))
      assert.equal(statSync(path).mode & 0o077, 0, `${path} is its owner's alone`);
    const blocked = join(file.folder, "blocked");
    writeFileSync(blocked, "a file where a folder should be");
    const config = { ...configFor(each, upstream.url), data_dir: blocked };
    await file.write(config);
    const { code, said } = await started(file);
    assert.notEqual(code, 0);
    assert.match(said, /blocked/, "it names the place");
  } finally {
    await file.remove();
  }
  counted(each);
}

/** Connections that do nothing take all files there are: what comes meanwhile is told so, and later all is well. */
async function noFilesLeft(each: Case): Promise<void> {
  await using upstream = await startUpstream();
  upstream.otherwise(provider({ text: "Still here." }));
  const config = configFor(each, upstream.url);
  await using gateway = await spawnGateway(config, { shell: `ulimit -n ${FILES}` });
  const port = Number(new URL(gateway.url).port);
  const idle = Array.from({ length: 2 * FILES }, (): Socket =>
    connect(port, "127.0.0.1").on("error", () => undefined),
  );
  await Bun.sleep(200);
  const pressed = await asks(gateway, each, 40);
  for (const reply of pressed) {
    const { complete, error } = judge(each.client, reply);
    assert.ok(
      complete || error !== undefined || reply.status === 0,
      `neither an answer nor an error: ${reply.status} ${reply.end}`,
    );
  }
  for (const socket of idle) socket.destroy();
  await Bun.sleep(300);
  // An account may have been passed over for what was our own fault; it is tried again.
  let good = 0;
  await until(
    "all is well again",
    () => {
      void asks(gateway, each, 1).then(
        ([reply]) => (good += reply !== undefined && judge(each.client, reply).complete ? 1 : 0),
      );
      return good > 20;
    },
    20_000,
  );
  const requests = (): number => gateway.output().split('"event":"request"').length - 1;
  await until("it has written down what it did", () => requests() > 20);
  counted(each);
}

/** A reader of the log that has stopped reading stops nobody. */
async function unreadLog(each: Case): Promise<void> {
  await using upstream = await startUpstream();
  upstream.otherwise(provider({ text: "Still here." }));
  await using gateway = await spawnGateway(configFor(each, upstream.url), { unread: true });
  // A line is about 300 bytes, and a pipe takes 64 KiB.
  for (let turn = 0; turn < 10; turn += 1) allGood(each, await asks(gateway, each, 60));
  counted(each);
}

export const ROWS: readonly Row[] = [
  {
    number: 58,
    title: "a damaged or foreign database: no start, untouched, aside by order",
    cases: ONCE,
    run: damagedDatabase,
  },
  {
    number: 59,
    title: "wide modes are narrowed, an impossible folder is named",
    cases: ONCE,
    run: foldersAndModes,
  },
  {
    number: 70,
    title: "no files left to open: told so, and well again afterwards",
    cases: ONCE,
    run: noFilesLeft,
  },
  { number: 71, title: "nobody reads the log: nobody waits for it", cases: ONCE, run: unreadLog },
];
