// `npm run soak -- --minutes N`: the program as users start it, under 200 live streams, one fault a second, reloads,
// slow readers and clients that leave. Exit code 1 when an answer was wrong or something was not given back.
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { account, CLIENT_KEY, gatewayConfig } from "../support/gateway-config.ts";
import { get, post } from "../support/client.ts";
import { spawnGateway, type ChildGateway } from "../support/gateway.ts";
import { ask } from "../support/made-streams.ts";
import { pick, type JsonObject } from "../support/json-pick.ts";
import { MODELS, PATHS } from "../support/samples.ts";
import { seeded } from "../support/seeded.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { Crowd } from "./crowd.ts";
import { FAULTS, faulty, orderText } from "./faults.ts";
import { cpuOf, filesOf, quantile, rssOf, slopePerHour, type Vital } from "./vitals.ts";

const MB = 1 << 20;
const LIMIT_MB_PER_HOUR = 1;
const SETTLE_MS = 60_000;

interface Options {
  readonly minutes: number;
  readonly streams: number;
  readonly seed: number;
  /** How long the memory may grow before its slope is taken. */
  readonly warmUpMinutes: number;
  /** Where the gateway writes what its heap holds; undefined: it is not asked to collect. */
  readonly heapFile: string | undefined;
}

/** Two accounts for each protocol spoken upstream, so that each can stand in for another. */
function configOf(upstream: Upstream, weight: number): JsonObject {
  const one = (name: string, platform: "anthropic" | "openai", more: JsonObject): JsonObject =>
    account(name, upstream.url, { platform, more: { concurrency: 300, weight, ...more } });
  return gatewayConfig(
    [
      one("claude-one", "anthropic", {}),
      one("claude-two", "anthropic", {}),
      one("claude-three", "anthropic", {}),
      one("gpt-one", "openai", { apis: ["responses"] }),
      one("gpt-two", "openai", { apis: ["responses", "chat"] }),
      one("gpt-three", "openai", { apis: ["chat"] }),
    ],
    // Conversations are forgotten within the warm-up, so that what grows behind it is no table that fills.
    {
      sticky_session_ttl: "5m",
      connect_timeout: "2s",
      first_event_timeout: "4s",
      response_timeout: "4s",
      stream_read_timeout: "5s",
    },
  );
}

async function health(gateway: ChildGateway): Promise<{ readonly active: number; readonly loopMs: number }> {
  const asked = performance.now();
  const alive = await get(gateway.url, "/health/live", { timeoutMs: 30_000 });
  const loopMs = performance.now() - asked;
  const reply = await get(gateway.url, "/health", { key: CLIENT_KEY, timeoutMs: 30_000 });
  const accounts = pick(reply.json(), "account_details");
  if (alive.status !== 200 || !Array.isArray(accounts))
    throw new Error(`no health: ${alive.status} ${reply.status}`);
  const active = accounts.reduce((sum: number, each: unknown) => sum + Number(pick(each, "active")), 0);
  return { active, loopMs };
}

async function warmUp(gateway: ChildGateway, models: readonly string[]): Promise<void> {
  const text = orderText({ id: 0, words: 1, delayMs: 0 });
  for (const model of models)
    await post(gateway.url, PATHS.chat, ask("chat", { stream: true, model, text }), { key: CLIENT_KEY });
}

/** One second after another until `until`: a fault, a look, now and then a reload. */
async function watch(world: World, until: number): Promise<void> {
  const { gateway, upstream, crowd, options, vitals } = world;
  const names = Object.keys(FAULTS);
  const reloadEvery = options.minutes < 10 ? 30 : 300;
  for (let second = 1; performance.now() < until; second += 1) {
    const due = performance.now() + 1_000;
    const name = names[Math.floor(world.chance() * names.length)] ?? "500";
    world.due.push(name);
    if (second % reloadEvery === 0) {
      await gateway.file.write(configOf(upstream, 1 + ((second / reloadEvery) % 3)));
      world.reloads += 1;
    }
    if (second % 20 === 0) world.forget();
    const { active, loopMs } = await health(gateway);
    const { files, sockets } = filesOf(gateway.pid);
    const rssBytes = rssOf(gateway.pid);
    vitals.push({ atMs: performance.now(), rssBytes, files, sockets, active, live: crowd.live, loopMs });
    if (second % 60 === 0) process.stderr.write(`${JSON.stringify(summary(world))}\n`);
    await Bun.sleep(Math.max(0, due - performance.now()));
  }
}

interface World {
  readonly options: Options;
  readonly gateway: ChildGateway;
  readonly upstream: Upstream;
  readonly crowd: Crowd;
  readonly chance: () => number;
  /** What the upstream remembers of ended requests. */
  readonly forget: () => void;
  /** Faults that no request has met yet. */
  readonly due: string[];
  readonly met: Map<string, number>;
  readonly vitals: Vital[];
  readonly startedAt: number;
  reloads: number;
}

function summary({ startedAt, crowd, vitals, gateway }: World): JsonObject {
  const last = vitals.at(-1);
  return {
    minute: Math.round((performance.now() - startedAt) / 60_000),
    ...crowd.ends,
    live: crowd.live,
    active: last?.active ?? 0,
    rss_mb: tenth((last?.rssBytes ?? 0) / MB),
    sockets: last?.sockets ?? 0,
    cpu_s: Math.round(cpuOf(gateway.pid)),
  };
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}

async function settled(
  world: World,
): Promise<{ readonly active: number; readonly sockets: number; readonly files: number }> {
  const { gateway, upstream } = world;
  const end = performance.now() + SETTLE_MS;
  for (;;) {
    const { active } = await health(gateway);
    await Bun.sleep(200);
    const { sockets, files } = filesOf(gateway.pid);
    // Its own kept connections go when the upstream goes, below; what is more than those is lost.
    if ((active === 0 && sockets <= upstream.openConnections + 1) || performance.now() > end)
      return { active, sockets: sockets - upstream.openConnections, files };
  }
}

async function soak(options: Options): Promise<JsonObject> {
  await using upstream = await startUpstream();
  await using gateway = await spawnGateway(configOf(upstream, 1), { env: heapEnv(options) });
  const models = [MODELS.messages, MODELS.responses];
  const chance = seeded(options.seed);
  const due: string[] = [];
  const met = new Map<string, number>();
  const next = (): string | undefined => {
    const name = due.shift();
    if (name !== undefined) met.set(name, (met.get(name) ?? 0) + 1);
    return name;
  };
  const answer = faulty(next, seeded(options.seed + 1));
  const forget = (): void => {
    upstream.clear();
    upstream.otherwise(answer);
  };
  forget();
  await health(gateway);
  // What the first requests open for good, such as the thread that connects.
  await warmUp(gateway, models);
  const before = { ...filesOf(gateway.pid), rssMb: tenth(rssOf(gateway.pid) / MB) };
  const crowd = new Crowd({
    url: gateway.url,
    streams: options.streams,
    chance: seeded(options.seed + 2),
    models,
  });
  const startedAt = performance.now();
  const world: World = {
    options,
    gateway,
    upstream,
    crowd,
    chance,
    forget,
    due,
    met,
    vitals: [],
    startedAt,
    reloads: 0,
  };
  await watch(world, startedAt + options.minutes * 60_000);
  due.length = 0;
  await crowd.close();
  const after = await settled(world);
  const cpuSeconds = cpuOf(gateway.pid);
  const output = gateway.output();
  gateway.signal("SIGTERM");
  const exitCode = await gateway.exited;
  const broken = output
    .split("\n")
    .filter((line) => /internal-error|unhandled|record-lost|log-lines-dropped/.test(line));
  return report(world, { before, after, cpuSeconds, exitCode, broken });
}

function heapEnv({ heapFile }: Options): Record<string, string> {
  if (heapFile === undefined) return {};
  return { SOAK_HEAP: heapFile, BUN_OPTIONS: `--preload ${join(import.meta.dirname, "heap.ts")}` };
}

/** What was left after a collection, from the end of the warm-up on. */
function heapOf({ heapFile, warmUpMinutes }: Options): JsonObject {
  if (heapFile === undefined || !existsSync(heapFile)) return {};
  const lines = readFileSync(heapFile, "utf8").trim().split("\n");
  const looks: { atMs: number; heapSize: number; objectCount: number }[] = lines.map((line) =>
    JSON.parse(line),
  );
  const warm = looks.filter(({ atMs }) => atMs > warmUpMinutes * 60_000);
  const mb = warm.map(({ atMs, heapSize }) => ({ atMs, value: heapSize / MB }));
  return {
    heap_mb: {
      median: tenth(
        quantile(
          mb.map(({ value }) => value),
          0.5,
        ),
      ),
      slope_per_hour: Math.round(slopePerHour(mb) * 100) / 100,
    },
    objects: { warm: warm[0]?.objectCount ?? 0, end: warm.at(-1)?.objectCount ?? 0 },
  };
}

interface End {
  readonly before: { readonly files: number; readonly sockets: number; readonly rssMb: number };
  readonly after: { readonly active: number; readonly sockets: number; readonly files: number };
  readonly cpuSeconds: number;
  readonly exitCode: number;
  readonly broken: readonly string[];
}

function report(world: World, { before, after, cpuSeconds, exitCode, broken }: End): JsonObject {
  const { options, crowd, vitals, met, reloads, startedAt } = world;
  const warmMs = options.warmUpMinutes * 60_000;
  const warm = vitals.filter(({ atMs }) => atMs - startedAt > warmMs);
  const slope = slopePerHour(warm.map(({ atMs, rssBytes }) => ({ atMs, value: rssBytes / MB })));
  const loop = vitals.map(({ loopMs }) => loopMs);
  const { lost, lies, altered } = crowd.ends;
  const leaks = {
    slots: after.active,
    sockets: Math.max(0, after.sockets - before.sockets),
    files: Math.max(0, after.files - before.files),
  };
  // Minutes say nothing of an hour's slope.
  const grows = options.minutes >= 30 && slope > LIMIT_MB_PER_HOUR;
  const ok =
    lost + lies + altered === 0 &&
    leaks.slots + leaks.sockets + leaks.files === 0 &&
    broken.length === 0 &&
    exitCode === 0 &&
    !grows;
  return {
    ok,
    minutes: options.minutes,
    seed: options.seed,
    streams: options.streams,
    live_mean: tenth(warm.reduce((sum, { live }) => sum + live, 0) / Math.max(1, warm.length)),
    exchanges: crowd.orders,
    ends: { ...crowd.ends },
    statuses: Object.fromEntries([...crowd.statuses].toSorted(([a], [b]) => a - b)),
    words: crowd.words,
    faults: [...met.values()].reduce((sum, each) => sum + each, 0),
    faults_by_kind: Object.fromEntries([...met].toSorted()),
    reloads,
    leaks,
    rss_mb: {
      start: before.rssMb,
      warm: tenth((warm[0]?.rssBytes ?? 0) / MB),
      end: tenth((vitals.at(-1)?.rssBytes ?? 0) / MB),
      most: tenth(Math.max(...vitals.map(({ rssBytes }) => rssBytes)) / MB),
      slope_per_hour: Math.round(slope * 100) / 100,
      minutes: byMinute(vitals).map(tenth),
    },
    ...heapOf(options),
    loop_ms: {
      p50: tenth(quantile(loop, 0.5)),
      p99: tenth(quantile(loop, 0.99)),
      most: tenth(Math.max(...loop)),
    },
    cpu_share: Math.round((cpuSeconds / ((performance.now() - startedAt) / 1_000)) * 1_000) / 1_000,
    exit_code: exitCode,
    broken: broken.slice(0, 10),
    wrong: [...crowd.wrong],
  };
}

/** The median of each minute, in MB: a slope alone does not show whether it ends. */
function byMinute(vitals: readonly Vital[]): number[] {
  const start = vitals[0]?.atMs ?? 0;
  const minutes = Map.groupBy(vitals, ({ atMs }) => Math.floor((atMs - start) / 60_000));
  return [...minutes.values()].map((each) =>
    quantile(
      each.map(({ rssBytes }) => rssBytes / MB),
      0.5,
    ),
  );
}

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "3" },
    streams: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    "warm-up": { type: "string" },
    heap: { type: "boolean", default: false },
  },
});
const minutes = Number(values.minutes);
const result = await soak({
  minutes,
  // A runtime's heap grows at first: a quarter of the time, or 15 minutes of a long run.
  warmUpMinutes: Number(values["warm-up"] ?? Math.min(15, minutes / 4)),
  heapFile: values.heap ? join(mkdtempSync(join(tmpdir(), "soak-")), "heap.jsonl") : undefined,
  streams: Number(values.streams),
  seed: Number(values.seed),
});
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
process.exit(result["ok"] === true ? 0 : 1);
