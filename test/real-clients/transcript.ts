// What a client asked and what its vendor was asked, in a form that is small and the same each time: long texts, ids,
// folders and times are replaced by what they are.
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isObject, parseJson } from "../support/json-pick.ts";
import type { Heard } from "./listener.ts";

const FOLDER = join(import.meta.dirname, "transcripts");
const LONGEST = 160;
const MOST = 6;

export interface Transcript {
  readonly client: string;
  readonly vendor: string;
  readonly scenario: string;
  readonly heard: readonly Heard[];
  readonly upstream: readonly string[];
}

export function writeTranscript({ client, vendor, scenario, heard, upstream }: Transcript): void {
  mkdirSync(FOLDER, { recursive: true });
  const asked = heard.map(({ method, path, body }) => ({
    asks: `${method} ${path}`,
    body: scrubbed(parseJson(body)),
  }));
  const sent = upstream.map((body) => scrubbed(parseJson(body)));
  const name = `${client}-${vendor}-${scenario.replaceAll(" ", "-")}.json`;
  writeFileSync(join(FOLDER, name), `${JSON.stringify({ client: asked, upstream: sent }, null, 2)}\n`);
}

function scrubbed(value: unknown, key = ""): unknown {
  if (typeof value === "string") return key === "system" ? "[text]" : text(value);
  if (Array.isArray(value)) {
    const kept = value.slice(0, MOST).map((each) => scrubbed(each, key));
    return value.length > MOST ? [...kept, `[${value.length - MOST} more]`] : kept;
  }
  if (!isObject(value)) return value;
  if (key === "tools") return { name: value["name"] ?? value["type"], type: value["type"] };
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, scrubbed(inner, key === "system" ? key : name)]),
  );
}

function text(value: string): string {
  if (value.length > LONGEST) return `[text, ${value.length > 1_000 ? "long" : "some lines"}]`;
  return value
    .replaceAll(tmpdir(), "/tmp")
    .replaceAll(/sub2api-client-\w+/g, "run")
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "[uuid]")
    .replaceAll(/\bses_\w+/g, "ses_[id]")
    .replaceAll(/[0-9a-f]{32,}/g, "[hash]")
    .replaceAll(/\d{4}-\d\d-\d\d(T[\d:.]+Z?)?/g, "[date]");
}
