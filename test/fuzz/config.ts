// Mutants of the example config: of its values, of its text, and of what means nothing in it. The loader never throws, says
// for each problem where it is, repeats no secret, and takes a good config however it is laid out.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parse } from "jsonc-parser";
import { readConfig } from "../../src/config/load.ts";
import { formatProblems, type Problem } from "../../src/config/problems.ts";
import type { Json } from "../../src/core/json.ts";
import { mutate, mutations } from "./config-mutants.ts";
import { damaged, Dice } from "./dice.ts";
import { Wrong, type Target } from "./target.ts";

const FOLDER = "/etc/gateway";
const EXAMPLE = readFileSync(join(import.meta.dirname, "..", "..", "config.example.json"), "utf8");
/** Stands in every secret, and nowhere else. */
const MARK = "s3cr3t";
const NAMES = [...new Set([...EXAMPLE.matchAll(/\$\{([A-Z_]+)\}/g)].map((found) => found[1] ?? ""))];
const ENV = Object.fromEntries(
  NAMES.map((name) => [name, name === "PROXY_LOGIN" ? `user:${MARK}` : `${MARK}-of-${name}-0123456789`]),
);
/** The same with the secrets in the file. */
const PLAIN: Json = parse(
  EXAMPLE.replaceAll(/\$\{([A-Z_]+)\}/g, (_, name: string) => ENV[name] ?? ""),
  [],
  { allowTrailingComma: true },
);
/** Strings, comments, words and numbers, signs; what stands between them is layout. */
const TOKENS = EXAMPLE.match(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*\n|[\w.+-]+|[{}[\],:]/g) ?? [];
const LAYOUT = ["", " ", "\n", "\r\n", "\t", "// x\n", "/* x */", '/* " { */', "// ${NONE} ]\n", "  \n\n"];
const CRUMBS = [
  ...LAYOUT,
  '"',
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "${",
  "${NONE}",
  "$${",
  "/*",
  "\\",
  "null",
  "\ufeff",
  "0",
  "\0",
]
  .map((text) => Buffer.from(text))
  .concat([Buffer.from('"accounts": [],'), Buffer.from('"__proto__": {"x": 1},')]);

function load(text: string): ReturnType<typeof readConfig> {
  return readConfig(text, FOLDER, ENV);
}

function checkProblems(problems: readonly Problem[], text: string): void {
  const told = formatProblems("config.json", problems);
  const wrong = (what: string): Wrong => new Wrong(`${what}: ${told} for ${text}`);
  if (problems.length === 0) throw wrong("refused without a word");
  if (told.includes(MARK)) throw wrong("a secret is told");
  for (const { path, line, message } of problems)
    if ((path === "" && line === undefined) || message === "") throw wrong("a problem without a place");
}

async function checkLayout(dice: Dice): Promise<void> {
  const text = TOKENS.map((token) => dice.pick(LAYOUT) + token).join("") + dice.pick(LAYOUT);
  const [loaded, plain] = await Promise.all([load(text), load(EXAMPLE)]);
  if (!loaded.ok) throw new Wrong(`a good config is refused: ${JSON.stringify(loaded.problems)} for ${text}`);
  if (!Bun.deepEquals(loaded, plain, true)) throw new Wrong(`layout changes the config: ${text}`);
}

/** Text damaged so that a secret became a key would be told as one: here they are all behind references. */
function damagedText(dice: Dice): string {
  return damaged(dice, Buffer.from(EXAMPLE), 1 + dice.below(4), CRUMBS).toString();
}

async function check(seed: number): Promise<void> {
  const dice = new Dice(seed);
  const kind = dice.below(10);
  if (kind === 0) return checkLayout(dice);
  const [list = []] = kind < 6 ? fc.sample(mutations, { seed, numRuns: 1 }) : [];
  const text =
    kind < 6
      ? JSON.stringify(list.reduce<Json>((config, each) => mutate(each, config), PLAIN))
      : damagedText(dice);
  const loaded = await load(text);
  if (!loaded.ok) checkProblems(loaded.problems, text);
  else if (loaded.config.accounts.length === 0) throw new Wrong(`no accounts: ${text}`);
}

export const config: Target = {
  name: "config",
  inputs: 100_000,
  short: 400,
  open: () => ({ play: check }),
};
