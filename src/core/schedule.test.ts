import { expect, test } from "bun:test";
import type { Account } from "./account.ts";
import type { Candidate } from "./exchange.ts";
import { type Facts, order } from "./schedule.ts";

interface Row extends Partial<Facts> {
  readonly name: string;
  readonly rank?: number;
  readonly priority?: number;
  readonly weight?: number;
  readonly isTranslated?: boolean;
}

function candidate({ name, rank = 0, priority = 50, weight = 1, isTranslated = false }: Row): Candidate {
  const account: Account = {
    name,
    platform: "anthropic",
    type: "api_key",
    provider: "anthropic",
    credential: undefined,
    baseUrl: "",
    origin: "",
    proxy: undefined,
    apis: [],
    concurrency: 3,
    priority,
    weight,
    models: undefined,
    modelMap: {},
    disabled: false,
    allowExtraUsage: false,
  };
  return { account, model: "m", protocol: isTranslated ? "chat" : "messages", rank };
}

function named(rows: readonly Row[]): readonly string[] {
  const facts = new Map(rows.map((row) => [candidate(row), { active: 0, turn: 0, held: undefined, ...row }]));
  const choices = order([...facts.keys()], "messages", (each) => {
    const found = facts.get(each);
    if (found === undefined) throw new Error("asked about a stranger");
    return found;
  });
  return choices.map((choice) => choice.candidate.account.name);
}

test("alias position goes before priority, priority before protocol, protocol before load", () => {
  const rows: Row[] = [
    { name: "second model", rank: 1, priority: 1 },
    { name: "low priority", priority: 60 },
    { name: "translated", isTranslated: true },
    { name: "busy", active: 2 },
    { name: "best", active: 1 },
  ];
  expect(named(rows)).toEqual(["best", "busy", "translated", "low priority", "second model"]);
});

test("load counts by weight, and among equals whose turn it is goes first", () => {
  const rows: Row[] = [
    { name: "small", active: 1 },
    { name: "late", active: 1, weight: 2, turn: 5 },
    { name: "large", active: 1, weight: 2, turn: 4 },
  ];
  expect(named(rows)).toEqual(["large", "late", "small"]);
});

test("whoever cannot serve now comes last", () => {
  expect(named([{ name: "cooling", priority: 1, held: "rate limit" }, { name: "fit" }])).toEqual([
    "fit",
    "cooling",
  ]);
});
