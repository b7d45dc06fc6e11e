// Proves that the gates of `npm run check` see what they are there for: each gets breaches planted in a
// throw-away project with our configuration, and a clean sample that must pass. A gate that silently checks
// nothing also passes. Then the rules no linter knows: plug-ins and their tables, errors and their page.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scripts } from "../package.json";
import { ERRORS } from "../src/core/errors.ts";

const ROOT = join(import.meta.dir, "..");
const CONFIGS = [
  "package.json",
  "tsconfig.json",
  "knip.json",
  ".oxlintrc.json",
  ".oxfmtrc.json",
  ".jscpd.json",
];
const planted: string[] = [];

setDefaultTimeout(60_000);

const GATES = ["dead", "duplication", "format", "lint", "types"] as const;

type Files = Readonly<Record<string, string>>;

interface Result {
  readonly code: number;
  readonly output: string;
}

async function project(files: Files): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), "structure-"));
  planted.push(root);
  for (const name of CONFIGS) copyFileSync(join(ROOT, name), join(root, name));
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  await Promise.all(Object.entries(files).map(([path, text]) => Bun.write(join(root, path), text)));
  return root;
}

afterAll(() => {
  for (const root of planted) rmSync(root, { recursive: true, force: true });
});

/** Runs a gate's command from package.json in a project; `words` are added to it. */
async function check(gate: (typeof GATES)[number], root: string, ...words: string[]): Promise<Result> {
  const command = [scripts[`check:${gate}`], ...words].join(" ");
  const path = `${join(ROOT, "node_modules/.bin")}:${process.env["PATH"]}`;
  const env = { ...process.env, NO_COLOR: "1", PATH: path };
  const child = Bun.spawn(["sh", "-c", command], { cwd: root, env, stdout: "pipe", stderr: "pipe" });
  const texts = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code: texts[2], output: texts[0] + texts[1] };
}

function lines(count: number, line: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => `${line(index)}\n`).join("");
}

function sources(): string[] {
  return [...new Bun.Glob("src/**/*.ts").scanSync(ROOT)].toSorted();
}

/** File -> what it may not import. */
const FORBIDDEN_IMPORTS: ReadonlyArray<readonly [path: string, module: string]> = [
  ["src/core/a.ts", "../pool/y.ts"],
  ["src/core/b.ts", "./x/../../pool/y.ts"],
  ["src/core/c.ts", "zod"],
  ["src/core/d.ts", "bun:sqlite"],
  ["src/core/e.ts", "node:fs"],
  ["src/core/in/a.ts", "../../pool/y.ts"],
  ["src/pool/a.ts", "../gateway/y.ts"],
  ["src/pool/b.ts", "./../gateway/y.ts"],
  ["src/pool/c.ts", "../core/../gateway/y.ts"],
  ["src/pool/d.ts", "../../src/gateway/y.ts"],
  ["src/pool/e.ts", "../../test/support/y.ts"],
  ["src/pool/f.ts", "../app.ts"],
  ["src/pool/in/a.ts", "../../gateway/y.ts"],
  ["src/pool/in/b.ts", "../../core/../gateway/y.ts"],
  ["src/pool/in/deep/a.ts", "../../../gateway/y.ts"],
  ["src/pool/a.test.ts", "../stores/y.ts"],
  ["src/oauth/a.ts", "../pool/y.ts"],
  ["src/gateway/a.ts", "../http/y.ts"],
  ["src/http/a.ts", "../config/y.ts"],
  ["src/config/a.ts", "../cli/y.ts"],
  ["src/logs/a.ts", "../stores/y.ts"],
  ["src/dashboard/a.ts", "../http/y.ts"],
  ["src/unheard-of/a.ts", "../pool/y.ts"],
  ["src/cli/a.ts", "../pool/y.ts"],
  ["src/cli/b.ts", "../core/../pool/y.ts"],
  ["src/main.ts", "./pool/y.ts"],
  ["src/app.ts", "./cli/y.ts"],
  ["src/second-root.ts", "./pool/y.ts"],
  ["src/third-root.ts", "./core/../pool/y.ts"],
  ["src/protocols/index.ts", "../core/../pool/y.ts"],
  ["src/protocols/chat/a.ts", "../responses/y.ts"],
  ["src/protocols/messages/a.ts", "../chat/y.ts"],
  ["src/protocols/responses/a.ts", "../index.ts"],
  ["src/protocols/responses/b.ts", "../../pool/y.ts"],
  ["src/protocols/responses/c.ts", "../../core/../pool/y.ts"],
  ["src/providers/anthropic.ts", "./openai.ts"],
  ["src/providers/common.ts", "./openai.ts"],
  ["src/stores/memory.ts", "./sqlite.ts"],
  ["src/stores/postgres.ts", "../core/../pool/y.ts"],
];

/** The same breach in other clothes. */
const FORBIDDEN_FORMS: ReadonlyArray<readonly [path: string, text: string]> = [
  ["src/pool/form-a.ts", 'export type { Y } from "../gateway/y.ts";'],
  ["src/pool/form-b.ts", 'export { y } from "../gateway/y.ts";'],
  ["src/pool/form-c.ts", 'export const y = import("../gateway/y.ts");'],
  ["src/pool/form-d.ts", 'import "../gateway/y.ts";'],
];

const FORBIDDEN_CODE: ReadonlyArray<readonly [rule: string, path: string, text: string]> = [
  ["no-cycle", "src/http/b.ts", 'import { c } from "./c.ts";\nexport const b = (): unknown => c;'],
  ["no-cycle", "src/http/c.ts", 'import { b } from "./b.ts";\nexport const c = (): unknown => b;'],
  ["no-cycle", "src/http/d.ts", 'import type { E } from "./e.ts";\nexport type D = E | 1;'],
  ["no-cycle", "src/http/e.ts", 'import type { D } from "./d.ts";\nexport type E = D | 2;'],
  ["no-explicit-any", "src/http/f.ts", "export const y: any = 1;"],
  ["no-non-null-assertion", "src/http/g.ts", "export const y = (x?: number): number => x!;"],
  ["no-default-export", "src/http/h.ts", "export default 1;"],
  ["no-require-imports", "src/http/i.ts", 'export const y: unknown = require("../pool/y.ts");'],
  ["consistent-type-imports", "src/http/j.ts", 'export type Y = import("../pool/y.ts").Y;'],
  ["max-lines", "src/http/k.ts", lines(401, (index) => `export const y${index} = 1;`)],
  ["max-lines-per-function", "src/http/l.ts", `export function y(): void {\n${lines(59, () => "y();")}}`],
  ["max-params", "src/http/m.ts", "export const y = (a: 1, b: 1, c: 1, d: 1, e: 1) => [a, b, c, d, e];"],
  ["Unused oxlint-disable", "src/http/n.ts", "// oxlint-disable-next-line no-console\nexport const y = 1;"],
  ["no-console", "src/http/o.ts", 'console.log("y");'],
  ["no-restricted-globals", "src/pool/g.ts", "export const y = () => setTimeout(Bun.gc, 1);"],
  ["no-restricted-properties", "src/gateway/b.ts", "export const y = () => Date.now();"],
  ["no-restricted-properties", "src/core/f.ts", "export const y = () => Math.random();"],
  ["no-restricted-properties", "src/protocols/chat/b.ts", "export const y = () => JSON.parse('1');"],
];

const CLEAN: Files = {
  "src/main.ts": 'export { y } from "./cli/y.ts";',
  "src/app.ts": 'export { y } from "./pool/y.ts";\nexport { z } from "./config/z.ts";',
  "src/settings.ts": 'export { z } from "./config/z.ts";',
  "src/cli/y.ts":
    'export { y } from "../app.ts";\nexport { z } from "../config/z.ts";\nexport { x } from "../core/x.ts";',
  "src/cli/y.test.ts": 'export { y } from "./y.ts";\nexport { z } from "../config/z.ts";',
  "src/config/z.ts": "export const z = () => [setTimeout(Bun.gc, 1), Date.now()];",
  "src/core/clock.ts": "export const now = () => performance.now();",
  "src/core/json.ts": "export const json = (text: string): unknown => JSON.parse(text);",
  "src/core/x.ts": 'export { createHash as x } from "node:crypto";\nexport { json } from "./json.ts";',
  "src/pool/in/y.ts": 'export { x as y } from "../../core/x.ts";\nexport { z } from "../z.ts";',
  "src/pool/y.test.ts": 'export { y } from "./y.ts";\nexport { sample } from "../../test/sample.ts";',
  "src/pool/y.ts":
    'export { x } from "../core/x.ts";\nexport { y } from "./in/y.ts";\nexport { LRUCache } from "lru-cache";',
  "src/protocols/chat/y.test.ts": 'export { sample } from "../../../test/sample.ts";',
  "src/protocols/chat/y.ts":
    'export { x } from "../../core/x.ts";\nexport { y } from "./z.ts";\nexport { w } from "../common.ts";',
  "src/protocols/index.ts": 'export { y } from "./chat/y.ts";',
  "src/providers/index.ts": 'export { y } from "./openai.ts";',
  "src/providers/openai.ts": 'export { x as y } from "../core/x.ts";\nexport { w } from "./common.ts";',
  "src/stores/sqlite.ts":
    'export { Database } from "bun:sqlite";\nexport { first } from "./migrations/first.ts";',
  "bench/y.ts": 'export { y } from "../src/pool/y.ts";',
  "scripts/y.ts": 'console.log("y");',
  "test/sample.ts": `export function sample(): void {\n${lines(80, () => "sample();")}}`,
};

describe("the linter", () => {
  const imports = FORBIDDEN_IMPORTS.map(
    ([path, module]) => [path, `export { y } from "${module}";`] as const,
  );
  const code = FORBIDDEN_CODE.map(([, path, text]) => [path, text] as const);
  let found: readonly string[] = [];

  beforeAll(async () => {
    const others = ["test/y.ts", "bench/y.ts", "scripts/y.ts"].map((path) => [path, ""] as const);
    const root = await project(Object.fromEntries([...imports, ...FORBIDDEN_FORMS, ...code, ...others]));
    const result = await check("lint", root, "-f", "unix");
    expect(result.code).not.toBe(0);
    found = result.output.split("\n");
  });

  const foundIn = (path: string): string => found.filter((line) => line.startsWith(`${path}:`)).join("\n");

  test.each(FORBIDDEN_IMPORTS)("refuses that %s imports %s", (path) => {
    expect(foundIn(path)).toContain("no-restricted-imports");
  });

  test.each(FORBIDDEN_FORMS)("refuses another folder in %s: %s", (path) => {
    expect(foundIn(path)).toContain("no-restricted-imports");
  });

  test.each(FORBIDDEN_CODE)("refuses by %s what is in %s", (rule, path) => {
    expect(foundIn(path)).toContain(rule);
  });

  test("passes code that keeps the rules", async () => {
    expect(await check("lint", await project(CLEAN), "-f", "unix")).toEqual({ code: 0, output: "" });
  });

  test("looks at every source file", async () => {
    const { output } = await check("lint", ROOT, "--debug=files");
    const listed = new Set(output.split("\n"));
    expect(sources().filter((path) => !listed.has(path))).toEqual([]);
  });
});

describe("the other gates", () => {
  const block = (name: string): string =>
    `export function ${name}(list: number[]): number {\n  let sum = 0;\n` +
    `${lines(12, (index) => `  if (list.length > ${index}) sum += list.length * ${index};`)}  return sum;\n}\n`;
  const unlike = lines(20, (index) => `export const name${index} = "${"x".repeat(index)}";`);

  test("duplication: a copied block is refused, other code passes", async () => {
    const copied = await check(
      "duplication",
      await project({ "src/a.ts": block("a"), "src/b.ts": block("b") }),
    );
    expect(copied.output).toContain("Clone found");
    expect(copied.code).not.toBe(0);
    const clean = await check("duplication", await project({ "src/a.ts": block("a"), "src/b.ts": unlike }));
    expect(clean.output).toMatch(/typescript │ 2 /);
    expect(clean.code).toBe(0);
  });

  test("duplication: every source file that is long enough is read", async () => {
    const { output } = await check("duplication", ROOT);
    const long = sources().filter((path) => !path.endsWith(".test.ts") && lineCount(path) > 20);
    expect(Number(/typescript │ (\d+)/.exec(output)?.[1])).toBeGreaterThanOrEqual(long.length);
  });

  test("dead code: an unused export, file and dependency are named", async () => {
    const root = await project({
      "src/main.ts": 'import { used } from "./a.ts";\n\nused();\n',
      "src/a.ts": "export function used(): void {}\n\nexport function unused(): void {}\n",
      "src/lonely.ts": "export const lonely = 1;\n",
    });
    const { code, output } = await check("dead", root);
    expect(code).not.toBe(0);
    expect(output).toMatch(/^unused .*src\/a\.ts/m);
    expect(output).toMatch(/^src\/lonely\.ts/m);
    expect(output).toMatch(/^zod .*package\.json/m);
    expect(output).not.toMatch(/^used /m);
  });

  test("format: crooked code is refused, straight code passes", async () => {
    const crooked = await check("format", await project({ "src/a.ts": "export const y = 'y'\n" }));
    expect(crooked.output).toContain("src/a.ts");
    expect(crooked.code).not.toBe(0);
    expect((await check("format", await project({ "src/a.ts": 'export const y = "y";\n' }))).code).toBe(0);
  });

  test("types: a loose index is refused, a narrowed one passes", async () => {
    const loose = "export const first = (list: number[]): number => list[0];\n";
    const refused = await check("types", await project({ "src/a.ts": loose }));
    expect(refused.output).toContain("src/a.ts");
    expect(refused.code).not.toBe(0);
    expect((await check("types", await project({ "src/a.ts": loose.replace("[0]", "[0] ?? 0") }))).code).toBe(
      0,
    );
  });

  test("`npm test` runs every gate and then the tests", () => {
    const gates = Object.keys(scripts).filter((name) => name.startsWith("check:"));
    expect(gates.toSorted()).toEqual(GATES.map((gate) => `check:${gate}`));
    for (const gate of gates) expect(scripts.check).toContain(`npm run -s ${gate}`);
    expect(scripts.test).toMatch(/^npm run -s check && bun scripts\/test\.ts$/);
  });
});

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

function lineCount(path: string): number {
  return read(path).trimEnd().split("\n").length;
}

describe("the tree", () => {
  test("has no source file above 400 lines", () => {
    expect(sources().filter((path) => lineCount(path) > 400)).toEqual([]);
  });

  test("sends requests by the one function that never leaves an account's proxy out", () => {
    const served = sources().filter((path) => !path.startsWith("src/cli/") && !path.endsWith(".test.ts"));
    const own = served.filter((path) => /(?<![\w.#])fetch\((?!request, server)/.test(read(path)));
    expect(own).toEqual(["src/core/proxy.ts"]);
  });

  test("has every protocol's folder in the table of protocols", () => {
    const entries = readdirSync(join(ROOT, "src/protocols"), { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    const table = read("src/protocols/index.ts");
    expect(imported(table, /from "\.\/([^/"]+)\/[^"]+"/g), "src/protocols/index.ts imports").toEqual(
      folders.toSorted(),
    );
  });

  test("has every provider's file in the table of providers", () => {
    const files = readdirSync(join(ROOT, "src/providers"))
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .filter((name) => name !== "common.ts" && name !== "index.ts")
      .map((name) => name.replace(/\.ts$/, ""));
    const table = read("src/providers/index.ts");
    expect(imported(table, /from "\.\/([^/"]+)\.ts"/g), "src/providers/index.ts imports").toEqual(
      files.toSorted(),
    );
  });
});

function imported(text: string, specifier: RegExp): string[] {
  return [...new Set([...text.matchAll(specifier)].map((match) => match[1] ?? ""))].toSorted();
}

describe("docs/errors.md", () => {
  test("says of every error what the table in core/errors.ts says, and names no other", () => {
    const rows = read("docs/errors.md").matchAll(
      /^\| `(\w+)` *\| *([^|]+?) *\| `(\w+)` *\| `(\w+)` *\| *[^|\s]/gm,
    );
    const told = [...rows].map(([, code, ...rest]) => [code, ...rest] as const);
    const known = Object.entries(ERRORS).map(([code, row]) => {
      const own =
        "anthropicStatus" in row ? `${row.status} (Messages: ${row.anthropicStatus})` : `${row.status}`;
      return [code, own, row.anthropic, row.openai] as const;
    });
    expect(told.toSorted()).toEqual(known.toSorted());
  });
});
