// The first step of the request line beside JSON.parse: on texts of the grammar, and on real requests after accidents. What
// is otherwise on purpose:
// - nested deeper than 128, a second `model` or `stream`, and a `model` or `stream` of another type are refused;
// - behind the first 128 bytes of a string only its end is looked for: the upstream checks the rest.
import { parseTree } from "jsonc-parser";
import { systemClock } from "../../src/core/clock.ts";
import { GatewayError } from "../../src/core/errors.ts";
import type { Ask } from "../../src/core/exchange.ts";
import { isObject, type Json, member, parseExactly, valueAt } from "../../src/core/json.ts";
import type { Settings } from "../../src/gateway/deps.ts";
import { read } from "../../src/gateway/read.ts";
import { REQUEST_NAMES, sampleRequest } from "../support/samples.ts";
import { damaged, Dice } from "./dice.ts";
import { checkEdits } from "./json-edits.ts";
import { I_VALUES, latin1, N_TEXTS, N_VALUES, Y_TEXTS, Y_VALUES } from "./json-cases.ts";
import { memberOf, object, textOf } from "./json-tree.ts";
import { Wrong, type Target } from "./target.ts";

const MODEL = '"model":"m"';
const MAX_DEPTH = 128;
/** So many bytes of a string are checked for sure. */
const SURE_BYTES = 100;
const REAL = REQUEST_NAMES.flatMap((name) => {
  const { body } = sampleRequest(name);
  return [Buffer.from(JSON.stringify(body)), Buffer.from(JSON.stringify(body, null, 2))];
});
const WORDS = [
  '"model":"x",',
  '"stream":true,',
  '"\\u006dodel":1,',
  '"__proto__":{"polluted":1},',
  '{"a":',
  "[[",
];
const SIGNS = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "\\",
  "\\u",
  "\\ud800",
  "0",
  "-",
  "e9",
  ".",
  "\n",
  " ",
  "\0",
  "//",
];
const CRUMBS = [...WORDS, ...SIGNS, "\ufeff", "null", `"${"y".repeat(200)}\\q"`, "[".repeat(130)]
  .map((text) => Buffer.from(text))
  .concat([Buffer.of(0xff), Buffer.of(0xc3), Buffer.of(0x1f)]);

const SETTINGS: Settings = {
  keys: new Map(),
  aliases: {},
  defaultInstructions: {},
  extraParams: {},
  maxBodyBytes: 1 << 20,
  bodyTimeoutMs: 60_000,
  maxAccountSwitches: 0,
  connectTimeoutMs: 0,
  firstEventTimeoutMs: 0,
  streamReadTimeoutMs: 0,
  responseTimeoutMs: 0,
  logRequests: false,
  logStreams: false,
  logPayloads: false,
  logErrorBodies: false,
};
const KEY = { name: "k", models: undefined, concurrency: undefined, requestsPerMinute: undefined, weight: 1 };

/** What the gateway reads in a body; undefined when it refuses it. */
export async function asked(
  body: Uint8Array,
  protocol: Ask["protocol"] = "responses",
): Promise<Ask | undefined> {
  const headers = { "content-length": String(body.length) };
  const request = new Request("http://gateway/v1/responses", {
    method: "POST",
    headers,
    body: Buffer.from(body),
  });
  const deps = { settings: () => SETTINGS, clock: systemClock };
  try {
    return await read({ request, protocol, errand: undefined }, KEY, deps);
  } catch (error) {
    if (error instanceof GatewayError && error.code === "invalid_request") return undefined;
    throw error;
  }
}

/** Whether the body may be taken: as JSON, and by the rules that are ours. */
function mayTake(text: string): boolean {
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    return false;
  }
  if (!isObject(value) || depthOf(text) > MAX_DEPTH) return false;
  const { model, stream } = value as { readonly model?: Json; readonly stream?: Json };
  if (typeof model !== "string" || model === "") return false;
  return (stream === undefined || stream === null || typeof stream === "boolean") && isOnce(text);
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [sign] of text.replaceAll(/"(?:[^"\\]|\\.)*"/g, "").matchAll(/[[\]{}]/g)) {
    depth += sign === "[" || sign === "{" ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

function isOnce(text: string): boolean {
  if ((text.match(/"model"|"stream"|\\u00/g) ?? []).length < 2) return true;
  const names = parseTree(text)?.children?.map((each) => String(each.children?.[0]?.value)) ?? [];
  return ["model", "stream"].every((name) => names.filter((each) => each === name).length < 2);
}

/** The same text without the inside of long strings. */
function shortened(text: string): string {
  return text.replaceAll(/"(?:[^"\\]|\\[^])*"/g, (string) => {
    if (Buffer.byteLength(string) <= MAX_DEPTH) return string;
    let head = "";
    for (const [part] of string.slice(1, -1).matchAll(/\\u.{4}|\\[^]|[^\\]/g)) {
      if (Buffer.byteLength(head + part) > SURE_BYTES) break;
      head += part;
    }
    return `"${head}"`;
  });
}

/** @throws when the gateway takes what it should not, refuses what it should take, or reads something else in it */
export async function checkBody(body: Buffer): Promise<void> {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(body);
  const ask = await asked(body);
  const source = JSON.stringify(text.length > 3_000 ? `${text.slice(0, 3_000)}…` : text);
  if (Reflect.get({}, "polluted") !== undefined) throw new Wrong(`all objects changed by ${source}`);
  const may = mayTake(text);
  if (ask === undefined) {
    if (may) throw new Wrong(`refused: ${source}`);
    return;
  }
  if (!may) {
    if (mayTake(shortened(text))) return;
    throw new Wrong(`taken: ${source}`);
  }
  const value: unknown = JSON.parse(text);
  const names = new Set(ask.members.list.map(({ key }) => key));
  if (!Bun.deepEquals([...names].toSorted(), Object.keys(Object(value)).toSorted()))
    throw new Wrong(`members ${JSON.stringify([...names])} of ${source}`);
  for (const name of names) {
    const found = member(ask.members, name);
    if (
      found === undefined ||
      !Bun.deepEquals(valueAt(ask.body, found), Reflect.get(Object(value), name), true)
    )
      throw new Wrong(`${JSON.stringify(name)} is read otherwise in ${source}`);
  }
}

/** A text of the cases as a whole body, or a value as a member's. */
export function bodyOfText(text: string): Buffer {
  return Buffer.from(text.replaceAll("@", MODEL));
}

export function bodyOfValue(value: string): Buffer {
  return Buffer.concat([Buffer.from(`{${MODEL},"a":`), Buffer.from(value), Buffer.from("}")]);
}

function inputOf(dice: Dice): Buffer {
  const kind = dice.below(10);
  if (kind < 2)
    return damaged(dice, bodyOfValue(dice.pick([...Y_VALUES, ...N_VALUES])), dice.below(3), CRUMBS);
  if (kind === 2) {
    const bytes = latin1(`{${MODEL},"a":${dice.pick(I_VALUES)}}`);
    return damaged(dice, bytes, dice.below(3), CRUMBS);
  }
  if (kind === 3)
    return damaged(dice, bodyOfText(dice.pick([...Y_TEXTS, ...N_TEXTS])), dice.below(3), CRUMBS);
  if (kind < 7) return damaged(dice, dice.pick(REAL), 1 + dice.below(4), CRUMBS);
  const made = object(dice, 3);
  const model = memberOf(dice, "model", { kind: "scalar", text: '"m"' });
  const whole = { ...made, members: [...made.members, model].toSorted(() => dice.random() - 0.5) };
  return damaged(dice, Buffer.from(textOf(whole)), dice.below(3), CRUMBS);
}

function checkExactly(body: Buffer): void {
  const text = body.toString();
  const exact = parseExactly(text);
  if (exact === undefined) return;
  const again = JSON.stringify(exact);
  if (!Bun.deepEquals(JSON.parse(again), JSON.parse(text), true))
    throw new Wrong(`written again as ${again}: ${JSON.stringify(text)}`);
}

export const json: Target = {
  name: "json",
  inputs: 1_000_000,
  short: 4_000,
  open: () => ({
    async play(seed) {
      const dice = new Dice(seed);
      if (dice.percent(30)) return checkEdits(dice);
      const body = inputOf(dice);
      await checkBody(body);
      if (body.length < 2_000) checkExactly(body);
    },
  }),
};
