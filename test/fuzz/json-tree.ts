// JSON as text with everything a writer may choose: spaces, escapes, long numbers, doubled names. What an edit has to make
// of it is written from the same tree, so it is known byte by byte without reading anything.
import type { Json, JsonObject } from "../../src/core/json.ts";
import type { Dice } from "./dice.ts";

export interface TreeMember {
  readonly key: string;
  readonly keyText: string;
  /** Before the name, before the colon, before the value and behind it. */
  readonly gaps: readonly [string, string, string, string];
  readonly value: Tree;
}

export type Tree =
  | { readonly kind: "object"; readonly members: readonly TreeMember[]; readonly gap: string }
  | { readonly kind: "array"; readonly items: readonly Tree[]; readonly gap: string }
  | { readonly kind: "scalar"; readonly text: string };

const NUMBERS = [
  "0",
  "-0",
  "1.0",
  "1e2",
  "0.1E-2",
  "12345678901234567890123",
  "9007199254740993",
  "-1.50",
  "1e400",
];
const STRINGS = [
  '""',
  '"a"',
  '"é😀"',
  '"\\u00e9"',
  '"\\ud83d"',
  '"\\/\\"\\\\"',
  '"],}{[:"',
  '"\\\\"',
  `"${'long \\" '.repeat(40)}"`,
  `"${"x".repeat(126)}\\\\"`,
];
const KEYS = [
  "a",
  "b",
  "c",
  "__proto__",
  "constructor",
  "stream ",
  "metadata",
  "reasoning",
  "1",
  "",
  "é",
  "toString",
];

function gap(dice: Dice): string {
  return dice.percent(70) ? "" : dice.pick([" ", "\n", "\t", "\r\n", "  "]);
}

/** The name as text, some of its characters escaped. */
export function keyText(dice: Dice, key: string): string {
  if (!dice.percent(15)) return JSON.stringify(key);
  const escape = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `"${key.split("").map(escape).join("")}"`;
}

export function memberOf(dice: Dice, key: string, value: Tree): TreeMember {
  return { key, keyText: keyText(dice, key), gaps: [gap(dice), gap(dice), gap(dice), gap(dice)], value };
}

export function tree(dice: Dice, depth: number): Tree {
  const kind = depth <= 0 ? 2 + dice.below(2) : dice.below(5);
  if (kind === 0) return object(dice, depth);
  if (kind === 1) return { kind: "array", items: dice.some(3, () => tree(dice, depth - 1)), gap: gap(dice) };
  return { kind: "scalar", text: dice.pick(kind === 2 ? NUMBERS : [...STRINGS, "true", "false", "null"]) };
}

export function object(dice: Dice, depth: number): Tree & { kind: "object" } {
  const members = dice.some(4, () => memberOf(dice, dice.pick(KEYS), tree(dice, depth - 1)));
  return { kind: "object", members, gap: gap(dice) };
}

/** The text, with `extra` filled in where the tree has nothing, and the values of `put` in place of its own. */
export function textOf(
  tree: Tree,
  extra: JsonObject = {},
  put: Readonly<Record<string, string>> = {},
): string {
  if (tree.kind === "scalar") return tree.text;
  if (tree.kind === "array") return `[${tree.gap}${tree.items.map((item) => textOf(item)).join(",")}]`;
  const { members } = tree;
  const last = new Map(members.map((each, index) => [each.key, index]));
  const texts = members.map(({ key, keyText, gaps, value }, index) => {
    const counts = last.get(key) === index;
    const inner = counts && Object.hasOwn(extra, key) ? objectOf(extra[key]) : {};
    const text = counts && Object.hasOwn(put, key) ? put[key] : textOf(value, inner);
    return `${gaps[0]}${keyText}${gaps[1]}:${gaps[2]}${text}${gaps[3]}`;
  });
  const added = Object.entries(extra)
    .filter(([key, value]) => value !== undefined && !last.has(key))
    .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  const comma = texts.length > 0 && added.length > 0 ? "," : "";
  return `{${texts.join(",")}${tree.gap}${comma}${added.join(",")}}`;
}

function objectOf(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
