// Edits of a body: what the configuration wants in it is there, and every other byte is the client's.
import type { Account, Protocol } from "../../src/core/account.ts";
import { Edits } from "../../src/core/edits.ts";
import type { Ask } from "../../src/core/exchange.ts";
import { type Json, type JsonObject, member, scanObject, type Span } from "../../src/core/json.ts";
import { edited } from "../../src/gateway/body.ts";
import type { Dice } from "./dice.ts";
import { memberOf, object, textOf, tree, type Tree } from "./json-tree.ts";
import { Wrong } from "./target.ts";

export const ACCOUNT: Account = {
  name: "a",
  platform: "anthropic",
  type: "api_key",
  provider: "anthropic",
  credential: undefined,
  baseUrl: "https://api.example",
  origin: "https://api.example",
  proxy: undefined,
  apis: ["messages"],
  concurrency: 1,
  priority: 1,
  weight: 1,
  models: undefined,
  modelMap: {},
  disabled: false,
  allowExtraUsage: false,
};
export const ASK: Omit<Ask, "body" | "members"> = {
  protocol: "messages",
  key: { name: "k", models: undefined, concurrency: undefined, requestsPerMinute: undefined, weight: 1 },
  model: "m",
  models: ["m"],
  stream: false,
  headers: new Headers(),
  query: "",
  session: "s",
  previousResponse: undefined,
  pinned: false,
  errand: undefined,
  continuable: false,
  replayable: true,
};
const EXTRAS: readonly JsonObject[] = [
  {},
  { temperature: 1 },
  { a: 1, b: { c: [1] } },
  { metadata: { a: { b: 2 } }, reasoning: { effort: "high" } },
  { constructor: { name: "x" }, "1": null, "": "é" },
  JSON.parse('{"__proto__":{"a":1}}'),
];

export function checkEdits(dice: Dice): void {
  if (dice.percent(50)) checkConfigured(dice);
  else checkTakenOut(dice);
}

/** The model's name and extra parameters. */
function checkConfigured(dice: Dice): void {
  const made = object(dice, 3);
  const members = [...made.members, memberOf(dice, "model", { kind: "scalar", text: '"m"' })];
  const whole = { ...made, members: members.toSorted(() => dice.random() - 0.5) };
  const model = dice.pick(["m", "other", 'a"b\\', "é"]);
  const extra = dice.pick(EXTRAS);
  const body = Buffer.from(textOf(whole));
  const ask: Ask = { ...ASK, body, members: scanObject(body) };
  const protocol: Protocol = "messages";
  const params = { defaultInstructions: {}, extraParams: { "*": extra } };
  const sent = edited(body, ask, { account: ACCOUNT, model, protocol, rank: 0 }, params);
  const wanted = textOf(whole, extra, model === "m" ? {} : { model: JSON.stringify(model) });
  if (Buffer.from(sent).toString() !== wanted)
    throw new Wrong(
      `${body.toString()} with ${JSON.stringify({ model, extra })} is ${Buffer.from(sent).toString()}`,
    );
}

/** Some members of an object or elements of a list go, others come. */
function checkTakenOut(dice: Dice): void {
  const inner: Tree = dice.percent(50)
    ? object(dice, 2)
    : { kind: "array", items: dice.some(5, () => tree(dice, 1)), gap: "" };
  const outer: Tree = { kind: "object", members: [memberOf(dice, "list", inner)], gap: "" };
  const body = Buffer.from(textOf(outer));
  const edits = new Edits(body);
  const list = member(scanObject(body), "list");
  if (list === undefined) throw new Wrong(`no list in ${body.toString()}`);
  const fields = edits.fields(list);
  const spans: readonly Span[] = fields?.list ?? edits.elements(list);
  const gone = new Set(spans.filter(() => dice.percent(40)));
  const added = dice.some(2, () => String(dice.below(9)));
  const texts = fields === undefined ? added : added.map((text, at) => `"new${at}":${text}`);
  edits.remove(list, spans, gone);
  edits.append(list, spans.length - gone.size, texts);
  const after = Buffer.from(edits.done().body).toString();
  const wanted = expected(inner, (at) => !gone.has(spans[at] ?? list), texts);
  const problem = `${body.toString()} without ${gone.size} and with ${texts.join()} is ${after}`;
  let found: Json;
  try {
    found = JSON.parse(after);
  } catch {
    throw new Wrong(problem);
  }
  if (!Bun.deepEquals(found, JSON.parse(`{"list":${wanted}}`), true)) throw new Wrong(problem);
  // Numbers and escapes of what stays are as they were written.
  const plain = (text: string): string => text.replaceAll(/"(?:[^"\\]|\\.)*"|\s+/g, (each) => each.trim());
  if (!plain(after).endsWith(`${plain(wanted)}}`)) throw new Wrong(`${problem}, instead of ${wanted}`);
}

function expected(inner: Tree, isKept: (at: number) => boolean, texts: readonly string[]): string {
  const parts =
    inner.kind === "object"
      ? inner.members.map(({ keyText, value }) => `${keyText}:${textOf(value)}`)
      : inner.kind === "array"
        ? inner.items.map((item) => textOf(item))
        : [];
  const kept = [...parts.filter((_, at) => isKept(at)), ...texts];
  return inner.kind === "object" ? `{${kept.join(",")}}` : `[${kept.join(",")}]`;
}
