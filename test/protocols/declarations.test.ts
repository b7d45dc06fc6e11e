// The page docs/protocols.md is what the codecs declare, and every line of it is what they do.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { declaredFields, protocolsPage } from "../../scripts/protocols-doc.ts";
import { GatewayError } from "../../src/core/errors.ts";
import type { Field } from "../../src/core/fields.ts";
import { isObject, parseObject, type Json, type JsonObject } from "../../src/core/json.ts";
import { PART_NAMES } from "../../src/core/parts.ts";
import { translatedBody } from "../../src/gateway/body.ts";
import { translatorOf } from "../../src/gateway/convert.ts";
import { CODECS } from "../../src/protocols/index.ts";
import type { Protocol } from "../support/oracle.ts";
import { ask } from "../vectors/translate.ts";
import { FIELD_SAMPLES } from "./field-samples.ts";
import { PROBES, SAMPLES } from "./part-samples.ts";

const PROTOCOLS = Object.values(CODECS).map(({ wire }) => wire.protocol);
const ROADS = PROTOCOLS.flatMap((from) => PROTOCOLS.filter((to) => to !== from).map((to) => ({ from, to })));
/** Takes what older models take, and thinks by a budget; the newer ones take less. */
const OLDER = "claude-haiku-4-5";
const NEWER = "claude-opus-5";

interface Seen {
  readonly sent: JsonObject;
  readonly dropped: readonly string[];
}

/** What would be sent, or the field that is refused. */
function sentOf(from: Protocol, to: Protocol, members: JsonObject, model: string): Seen | string {
  try {
    const body = { ...ask(from), ...members, model };
    const prompt = translatorOf(CODECS[from]).decodeRequest(body);
    const made = translatedBody(prompt, CODECS[from], CODECS[to], { model, stream: false });
    return { sent: parseObject(new TextDecoder().decode(made.body)) ?? {}, dropped: made.dropped };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== "unsupported_field") throw error;
    return `400 ${error.param ?? ""}`;
  }
}

test("docs/protocols.md is as the codecs declare it", () => {
  const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "protocols.md"), "utf8");
  expect(page).toBe(protocolsPage());
});

describe.each(ROADS)("a $from client over $to: each field", ({ from, to }) => {
  const fields = Object.entries(declaredFields(from));
  test.each(fields)("%s", (name, field) => {
    const sample = FIELD_SAMPLES[from][name];
    if (sample === undefined) throw new Error(`no sample of ${name}`);
    expectFate(field, name, sentOf(from, to, sample, OLDER), to);
  });

  test("a field that nobody knows is left out and named", () => {
    expect(sentOf(from, to, { unheard_of: "x" }, OLDER)).toMatchObject({ dropped: ["unheard_of"] });
  });
});

function expectFate(field: Field, name: string, seen: Seen | string, to: Protocol): void {
  if ("refused" in field) return expect(seen).toBe(`400 ${name}`);
  const written = "wish" in field ? translatorOf(CODECS[to]).writes[field.wish] : undefined;
  if (written === "refused") return expect(seen).toStartWith("400 ");
  if (name === "web_search_options" && to === "messages") return expect(seen).toBeObject();
  if (typeof seen === "string") throw new Error(`${name} is refused: ${seen}`);
  if ("hint" in field || written === "hint") return expect(seen.dropped).toContain(name);
  expect(seen.dropped).not.toContain(name);
  if (written === undefined || written.at.length === 0) return;
  expect(written.at.map((place) => memberAt(seen.sent, place)).some((value) => value !== undefined)).toBe(
    true,
  );
}

function memberAt(body: JsonObject, place: string): Json | undefined {
  let at: Json | undefined = body;
  for (const key of place.split(".")) at = isObject(at) ? at[key] : undefined;
  return at;
}

describe.each(ROADS)("a $from client over $to: each part", ({ from, to }) => {
  const known = PART_NAMES.filter((name) => SAMPLES[name][from] !== undefined);
  test.each(known)("%s", (name) => {
    const declared = translatorOf(CODECS[to]).parts[name];
    const seen = sentOf(from, to, SAMPLES[name][from] ?? {}, NEWER);
    const refused =
      declared.startsWith("400") || (from === "messages" && declared.includes("from Messages 400"));
    if (refused) return expect(seen).toStartWith("400 ");
    if (typeof seen === "string") throw new Error(`${name} is refused: ${seen}`);
    const text = JSON.stringify(seen.sent);
    const probe = PROBES[name] ?? PROBES["*"] ?? "";
    if (declared.startsWith("left out")) return expect(text).not.toContain(probe);
    if (name !== "tool that the client runs, of a type of its own" && name !== "web search")
      expect(text).toContain(probe);
    const words = [...declared.matchAll(/`([^`]+)`/g)].map(([, word]) => word ?? "");
    expect(words.length).toBeGreaterThan(0);
    expect(words.some((word) => text.includes(word))).toBe(true);
  });
});
