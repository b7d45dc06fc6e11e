// The row about the gateway's own faults: something is thrown inside each step of a request, one after another.
import assert from "node:assert/strict";
import { RequestRates } from "../../src/gateway/authenticate.ts";
import { Frames } from "../../src/gateway/frames.ts";
import { Routes } from "../../src/gateway/routes.ts";
import { Tap } from "../../src/gateway/tap.ts";
import { Upstream } from "../../src/gateway/upstream.ts";
import { Consequences } from "../../src/pool/consequences.ts";
import { Sessions } from "../../src/pool/sessions.ts";
import { CODECS } from "../../src/protocols/index.ts";
import { PROVIDERS } from "../../src/providers/index.ts";
import { sse } from "../support/answers.ts";
import { post } from "../support/client.ts";
import { CLIENT_KEY, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";
import { ask, textStream } from "../support/made-streams.ts";
import { memoryRecords } from "../support/memory-records.ts";
import { provider } from "../support/provider.ts";
import { PATHS } from "../support/samples.ts";
import { startUpstream, type Answer } from "../support/upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { expectGood, expectNotCooled } from "./check.ts";
import { modelOf, accountOf, stage, until, wordsOf, type Case, type Row, type Stage } from "./row.ts";
import { HOUR, platformOf, recorded } from "./scene.ts";

/** A method that takes part in a request, and whose it is. */
interface Step {
  readonly name: string;
  readonly owner: object;
  readonly method: string;
}

const CLASSES = [Frames, RequestRates, Routes, Tap, Upstream, Consequences, Sessions];
/** Taken when a good answer has left already: its client has what it asked for. */
const AFTERWARDS = new Set(["Upstream.unheard", "Upstream.close", "Routes.putIdle", "Sessions.issued"]);

function stepsOf(each: Case): readonly Step[] {
  const codecs = [...new Set([each.client, each.upstream])].map((protocol) => CODECS[protocol]);
  const owners: readonly (readonly [string, object])[] = [
    ...CLASSES.map((kind) => [kind.name, kind.prototype] as const),
    ["provider", PROVIDERS[platformOf(each)] ?? {}],
    ...codecs.map(({ wire }) => [`${wire.protocol} wire`, wire] as const),
    ...codecs.map(({ wire, translator = {} }) => [`${wire.protocol} translator`, translator] as const),
  ];
  return owners.flatMap(([whose, owner]) => {
    const members = Object.entries(Object.getOwnPropertyDescriptors(owner));
    const methods = members.filter(
      ([name, { value }]) => typeof value === "function" && name !== "constructor",
    );
    return methods.map(([method]) => ({ name: `${whose}.${method}`, owner, method }));
  });
}

/** Runs `work` while `meet` is called before each of these steps is taken. */
async function watched<T>(
  steps: readonly Step[],
  meet: (step: Step) => void,
  work: () => Promise<T>,
): Promise<T> {
  const restore: (() => void)[] = [];
  for (const step of steps) {
    const { owner, method } = step;
    const real: unknown = Reflect.get(owner, method);
    if (typeof real !== "function") throw new Error(`${step.name} is no method`);
    const instead = function (this: unknown, ...values: unknown[]): unknown {
      meet(step);
      return Reflect.apply(real, this, values);
    };
    Reflect.set(owner, method, instead);
    restore.push(() => Reflect.set(owner, method, real));
  }
  try {
    return await work();
  } finally {
    for (const each of restore) each();
  }
}

interface Situation {
  readonly name: string;
  readonly answer: Answer;
  /** What the client gets of it while nothing is thrown. */
  readonly status: number;
  /** Steps that must be among those taken. */
  readonly through: readonly string[];
}

function situationsOf(each: Case): readonly Situation[] {
  const { client, upstream, stream } = each;
  const cut = sse(textStream(upstream, ["Some ", "words."]), { cutAt: -300, end: "fin" });
  const relayed = stream
    ? ["Frames.next", "Tap.see", `${upstream} wire.kind`]
    : ["Upstream.whole", "Tap.count"];
  const passed = [
    "provider.prepare",
    "provider.limits",
    "Upstream.open",
    "Sessions.committed",
    "Consequences.ended",
  ];
  const translated = client === upstream ? [] : [`${client} translator.decodeRequest`];
  const judged = ["Upstream.errorBody", "provider.outcome", `${client} wire.errorBody`];
  return [
    {
      name: "a good answer",
      answer: provider({ text: wordsOf("first") }),
      status: 200,
      through: [...passed, ...relayed, ...translated],
    },
    { name: "a limit", answer: recorded(each, "429-rate-limit"), status: 429, through: judged },
    { name: "a broken service", answer: recorded(each, "500"), status: 500, through: judged },
    ...(stream ? [{ name: "a cut", answer: cut, status: 200, through: relayed }] : []),
  ];
}

async function thrownInStep(each: Case): Promise<void> {
  const clock = new VirtualClock();
  let answer: Answer = provider();
  const accounts = [{ answer: ((request, connection) => answer(request, connection)) satisfies Answer }];
  await using on = await stage(each, { clock, accounts, breaksGateway: true });
  for (const situation of situationsOf(each)) {
    ({ answer } = situation);
    const taken = await stepsTaken(on, clock, situation, stepsOf(each));
    const before = [...taken].filter(([{ name }]) => situation.status !== 200 || !AFTERWARDS.has(name));
    for (const [step, calls] of before)
      for (const at of new Set([1, calls]))
        await play(on, clock, situation, { steps: [step], meet: throwing(at) }).catch((problem: unknown) => {
          const where = `${situation.name}: call ${at} of ${calls} of ${step.name}`;
          throw new Error(`${where}: ${String(problem)}`, { cause: problem });
        });
  }
  answer = provider({ text: wordsOf("first") });
  await expectGood(on, await on.ask({ text: "All is well." }), "first");
  expectNotCooled(on, "first");
}

/** What arrives at once with its end is seen as broken before it begins, which a busy machine makes of a cut. */
const TRIES = 5;

/** How often each step is taken when nothing is thrown. */
async function stepsTaken(
  on: Stage,
  clock: VirtualClock,
  situation: Situation,
  steps: readonly Step[],
): Promise<ReadonlyMap<Step, number>> {
  for (let left = TRIES; ; left -= 1) {
    const taken = new Map<Step, number>();
    const meet = (step: Step): void => void taken.set(step, (taken.get(step) ?? 0) + 1);
    await play(on, clock, situation, { steps, meet });
    const names = new Set([...taken.keys()].map(({ name }) => name));
    const missing = situation.through.filter((name) => !names.has(name));
    if (missing.length === 0) return taken;
    assert.ok(left > 1, `${situation.name} takes ${missing.join(", ")}`);
  }
}

interface Watch {
  readonly steps: readonly Step[];
  readonly meet: (step: Step) => void;
}

function throwing(at: number): Watch["meet"] {
  let calls = 0;
  return ({ name }) => {
    calls += 1;
    if (calls === at) throw new Error(`planted in ${name}`);
  };
}

/** One request, while nothing else runs: the client is told something sound, and the slot is free. */
async function play(on: Stage, clock: VirtualClock, { status }: Situation, watch: Watch): Promise<void> {
  const records = on.gateway.exchanges.length + 1;
  const reply = await watched(watch.steps, watch.meet, async () => {
    const reply = await on.ask({ timeoutMs: 2000, text: `Request ${records}.` });
    await until("the slot is free", () => on.gateway.active() === 0, 500);
    await until("it is recorded", () => on.gateway.exchanges.length >= records, 500);
    return reply;
  });
  assert.equal(reply.end, "complete", `ended by ${reply.end}`);
  assert.ok([status, 500, 502].includes(reply.status), `status ${reply.status}`);
  assert.ok(!reply.raw.includes("planted"), "the client is told what was thrown");
  const { complete, error, problems } = on.verdict(reply);
  assert.deepEqual(problems, []);
  assert.equal(complete, error === undefined, "an answer, or an error in its place");
  if (reply.status !== 200) assert.notEqual(error, undefined);
  // Whatever rests or has been struck by this is forgotten.
  await clock.pass(HOUR);
}

/** Records that cannot be written: nobody but the log hears of it. */
async function thrownInRecords(each: Case): Promise<void> {
  await using upstream = await startUpstream();
  upstream.otherwise(provider());
  const lost = new Error("planted in records");
  const records = {
    ...memoryRecords(),
    append: () => {
      throw lost;
    },
  };
  await using gateway = await startGateway(gatewayConfig([accountOf(each, "first", upstream.url)]), {
    records,
  });
  for (let turn = 0; turn < 2; turn += 1) {
    const reply = await post(
      gateway.url,
      PATHS[each.client],
      ask(each.client, { ...each, model: modelOf(each) }),
      { key: CLIENT_KEY },
    );
    assert.deepEqual([reply.status, reply.end], [200, "complete"]);
    await gateway.idle();
  }
  await until("the log says so", () => JSON.stringify(gateway.lines).includes(lost.message));
}

let turn: Promise<void> = Promise.resolve();

/** The steps belong to all gateways of this process, so one case plays at a time. */
function alone(work: () => Promise<void>): Promise<void> {
  const done = turn.then(() => withoutUnhandled(work));
  turn = done.catch(() => undefined);
  return done;
}

/** A promise that is rejected and that nobody holds would end the process of a gateway. */
async function withoutUnhandled(work: () => Promise<void>): Promise<void> {
  const unhandled: unknown[] = [];
  const hear = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", hear);
  try {
    await work();
    await Bun.sleep(1);
    assert.deepEqual(unhandled, []);
  } finally {
    process.off("unhandledRejection", hear);
  }
}

export const ROWS: readonly Row[] = [
  {
    number: 52,
    title: "thrown inside any step: told as 500, slot freed, it lives on",
    run: (each) =>
      alone(async () => {
        await thrownInStep(each);
        await thrownInRecords(each);
      }),
  },
];
