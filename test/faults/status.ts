// Rows about refusals: which status rests the account, which goes on to the next one, and which the client gets.
import assert from "node:assert/strict";
import { html, inTurn, json } from "../support/answers.ts";
import { pickText } from "../support/json-pick.ts";
import { provider } from "../support/provider.ts";
import { providerError, providerErrorNames } from "../support/samples.ts";
import type { Answer } from "../support/upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { expectAttempts, expectError, expectGood, expectHits, expectNotCooled } from "./check.ts";
import { stage, wordsOf, type Case, type Row } from "./row.ts";
import { HOUR, MINUTE, platformOf, recorded, restMs, scene, Script, SECOND, statusOf } from "./scene.ts";

/** The words of an upstream about its account, which no client may see. */
const REFUSALS = ["invalid x-api-key", "Incorrect API key", "does not have permission", "not supported"];

async function refusedCredential(each: Case, name: string): Promise<void> {
  await using play = await scene(each);
  const { stage: on, clock, script, ask } = play;
  for (const minutes of [30, 60, 120, 240, 480, 960, 1440, 1440]) {
    script.next(recorded(each, name));
    const reply = await ask();
    await expectGood(on, reply, "second");
    await expectAttempts(on, reply, "first:credential second:ok");
    assert.equal(statusOf(on, "first").reason, "credential refused");
    assert.equal(restMs(on, "first", clock), minutes * MINUTE);
    await clock.pass(minutes * MINUTE + 1);
  }
  await expectGood(on, await ask(), "first");
}

async function refusedEverywhere(each: Case, name: string): Promise<void> {
  const answer = recorded(each, name);
  await using on = await stage(each, { accounts: [{ answer }, { answer }] });
  const reply = await on.ask();
  const words = { anthropic: "api_error", openai: "server_error" };
  await expectError(each, on, reply, { status: 502, ...words, code: "upstream_refused" });
  await expectAttempts(on, reply, "first:credential second:credential");
  const later = await on.ask();
  await expectError(each, on, later, { status: 503, ...words, code: "pool_unavailable" });
  assert.equal(later.header("retry-after"), undefined);
  for (const { raw } of [reply, later])
    for (const text of REFUSALS) assert.ok(!raw.includes(text), `the client was told ${text}`);
}

/** A conversation that lost its account to a refusal stays where it went. */
async function leavesForGood(each: Case): Promise<void> {
  const clock = new VirtualClock();
  const scripts = { first: new Script("first"), second: new Script("second") };
  const more = { priority: 1 };
  const accounts = [scripts.first, scripts.second].map(({ answer }) => ({ answer, more }));
  await using on = await stage(each, { clock, accounts });
  const said = on.verdict(await on.ask()).text;
  const [own, other] =
    said === wordsOf("first") ? (["first", "second"] as const) : (["second", "first"] as const);
  await expectGood(on, await on.ask(), own);
  scripts[own].next(recorded(each, "401"));
  await expectGood(on, await on.ask(), other);
  await clock.pass(31 * MINUTE);
  await expectGood(on, await on.ask(), other);
}

async function noRefresh(each: Case): Promise<void> {
  const script = new Script("first");
  await using on = await stage(each, { accounts: [{ answer: script.answer }, {}] });
  script.next(recorded(each, "401"));
  const reply = await on.ask();
  await expectGood(on, reply, "second");
  await expectAttempts(on, reply, "first:credential second:ok");
  expectHits(on, "first", 1);
}

async function forbidden(each: Case): Promise<void> {
  await refusedCredential(each, "403");
  await refusedEverywhere(each, "403");
  await using play = await scene(each);
  const { body } = providerError("html", "403-cloudflare");
  play.script.next(html(403, body, { server: "cloudflare", "cf-mitigated": "challenge" }));
  const reply = await play.ask();
  await expectGood(play.stage, reply, "second");
  await expectAttempts(play.stage, reply, "first:route second:ok");
  expectNotCooled(play.stage, "first");
}

/** What is the request's own fault: a name of a recorded error, or a status that the provider words like a 400. */
function ownFaults(each: Case): readonly (string | number)[] {
  const named = providerErrorNames(platformOf(each)).filter((name) => /^(400|413|422)/.test(name));
  return [...named.filter((name) => !/spend-limit|on-hold/.test(name)), 422, 431];
}

async function ownFault(each: Case): Promise<void> {
  await using on = await stage(each, { accounts: [{}, {}] });
  const faults = ownFaults(each);
  assert.ok(faults.length >= 7);
  for (const [index, fault] of faults.entries()) {
    const told = providerError(platformOf(each), typeof fault === "string" ? fault : "400-invalid");
    const status = typeof fault === "string" ? told.status : fault;
    on.upstream("first").clear();
    on.upstream("first").otherwise(json(status, told.body, { "request-id": "req_theirs" }));
    const reply = await on.ask({ text: `Conversation ${index}.` });
    assert.equal(reply.status, status);
    // The same bytes where nothing is translated; else the same words in the client's protocol.
    if (each.client === each.upstream) assert.equal(reply.text(), told.body);
    else assert.equal(on.verdict(reply).error?.message, messageOf(told.body));
    assert.equal((await expectAttempts(on, reply, "first:stop")).outcome, "stop");
    expectHits(on, "first", 1);
    expectHits(on, "second", 0);
    expectNotCooled(on, "first");
  }
}

function messageOf(body: string): string | undefined {
  const told: unknown = JSON.parse(body);
  return pickText(told, "error", "message") ?? pickText(told, "detail");
}

/** A conversation whose first request was refused has no account yet: the next one takes its turn. */
async function bindsNothing(each: Case): Promise<void> {
  const more = { priority: 1 };
  const refusal = recorded(each, "400-invalid");
  await using on = await stage(each, {
    accounts: [
      { answer: inTurn(refusal, provider({ text: wordsOf("first") })), more },
      { answer: inTurn(refusal, provider({ text: wordsOf("second") })), more },
    ],
  });
  const refused = await on.ask();
  assert.equal(refused.status, 400);
  const own = (await on.record(refused)).account;
  const next = await on.ask();
  assert.equal(next.status, 400, "the other account, which refuses its first request as well");
  assert.notEqual((await on.record(next)).account, own);
}

async function missingModel(each: Case): Promise<void> {
  await using play = await scene(each);
  const { stage: on, clock, script, ask } = play;
  const other = {
    text: "Another model.",
    extra: { model: each.upstream === "messages" ? "claude-x" : "gpt-x" },
  };
  script.next(recorded(each, "404-model"));
  const reply = await ask();
  await expectGood(on, reply, "second");
  await expectAttempts(on, reply, "first:model second:ok");
  await expectGood(on, await on.ask(other), "first");
  await clock.pass(HOUR - 2);
  await expectGood(on, await ask(), "second");
  await clock.pass(3);
  await expectGood(on, await ask(), "first");
  expectNotCooled(on, "first");
}

async function modelNowhere(each: Case): Promise<void> {
  const answer = recorded(each, "404-model");
  await using on = await stage(each, { accounts: [{ answer }, { answer }] });
  const words = { status: 404, anthropic: "not_found_error", openai: "invalid_request_error" };
  for (const attempts of ["first:model second:model", ""]) {
    const reply = await on.ask();
    const verdict = await expectError(each, on, reply, words);
    assert.ok(verdict.error?.message.startsWith("gateway_model_not_found: "));
    if (each.client !== "messages") assert.equal(verdict.error?.code, "model_not_found");
    await expectAttempts(on, reply, attempts);
  }
}

/** Once wrong: the next account answers, and this one is asked again at once. */
async function passing(each: Case, answers: readonly Answer[]): Promise<void> {
  await using play = await scene(each);
  const { stage: on, clock, script, ask } = play;
  for (const answer of answers) {
    // As many failures as successes within 30 s would be more than a passing failure.
    await clock.pass(31 * SECOND);
    script.next(answer);
    const reply = await ask();
    await expectGood(on, reply, "second");
    await expectAttempts(on, reply, "first:account second:ok");
    expectNotCooled(on, "first");
    await expectGood(on, await ask(), "first");
  }
}

function brokenAnswers(each: Case): readonly Answer[] {
  const recordedOnes = providerErrorNames(platformOf(each)).filter((name) => /^50[0234]/.test(name));
  const pages = ["502-nginx", "503-empty"].map((name) => {
    const { status, body } = providerError("html", name);
    return html(status, body);
  });
  return [...recordedOnes.map((name) => recorded(each, name)), ...pages, json(520, { error: "unknown" })];
}

/** Three accounts are tried and no more; the client gets what the last of them said. */
async function brokenEverywhere(each: Case): Promise<void> {
  const say = (name: string): Answer => {
    const { status, body } = providerError(platformOf(each), "503");
    return json(status, body.replace(messageOf(body) ?? "", `said by ${name}`));
  };
  const accounts = ["first", "second", "third", "fourth"].map((name) => ({ answer: say(name) }));
  await using on = await stage(each, { accounts });
  const reply = await on.ask();
  const verdict = await expectError(each, on, reply, { status: 503 });
  assert.equal(verdict.error?.message, "said by third");
  await expectAttempts(on, reply, "first:account second:account third:account");
  expectHits(on, "fourth", 0);
}

async function brokenTwice(each: Case): Promise<void> {
  const answer = recorded(each, "500");
  await using on = await stage(each, { accounts: [{ answer }, { answer }, {}] });
  const reply = await on.ask();
  await expectGood(on, reply, "third");
  await expectAttempts(on, reply, "first:account second:account third:ok");
}

export const ROWS: readonly Row[] = [
  { number: 27, title: "401 where nothing can be refreshed: one try, next account", run: noRefresh },
  {
    number: 28,
    title: "401 for good: rests 30 min doubling to 24 h, never told",
    async run(each) {
      await refusedCredential(each, "401");
      await refusedEverywhere(each, "401");
      await leavesForGood(each);
    },
  },
  { number: 29, title: "403: as 401; a firewall's page is not the account's fault", run: forbidden },
  {
    number: 30,
    title: "400, 413, 422, policy: told once as they are, blaming nobody",
    async run(each) {
      await ownFault(each);
      await bindsNothing(each);
    },
  },
  {
    number: 31,
    title: "404 for the model: not asked for it for 1 h; everywhere: 404",
    async run(each) {
      await missingModel(each);
      await modelNowhere(each);
    },
  },
  {
    number: 32,
    title: "408, 409: passing, the next account answers",
    run: (each) => passing(each, [recorded(each, "408"), recorded(each, "409")]),
  },
  {
    number: 33,
    title: "500, 502, 503, 504 once: the next account, three at most",
    async run(each) {
      await passing(each, brokenAnswers(each));
      await brokenTwice(each);
      await brokenEverywhere(each);
    },
  },
];
