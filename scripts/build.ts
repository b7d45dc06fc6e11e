// `npm run build`: the program as one file for this machine, in output/. `-- --all` makes it for every platform: Bun's
// runtimes for these come from npm, each checked against package-lock.json.

import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

interface Target {
  /** As Bun calls the platform. */
  readonly bun: string;
  /** The npm package that holds its runtime. */
  readonly runtime: string;
  readonly file: string;
}

const TARGETS: readonly Target[] = [
  { bun: "bun-linux-x64", runtime: "@oven/bun-linux-x64", file: "sub2api_simple-linux-x64" },
  { bun: "bun-linux-arm64", runtime: "@oven/bun-linux-aarch64", file: "sub2api_simple-linux-arm64" },
  { bun: "bun-darwin-x64", runtime: "@oven/bun-darwin-x64", file: "sub2api_simple-macos-x64" },
  { bun: "bun-darwin-arm64", runtime: "@oven/bun-darwin-aarch64", file: "sub2api_simple-macos-arm64" },
  { bun: "bun-windows-x64", runtime: "@oven/bun-windows-x64", file: "sub2api_simple-windows-x64.exe" },
];
const ROOT = join(import.meta.dirname, "..");
/** What lies in the folder of whoever starts it is no part of the program. */
const CLOSED = [
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
];

async function run(command: readonly string[], cwd: string): Promise<string> {
  const child = Bun.spawn([...command], { cwd, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0)
    throw new Error(`${command.slice(0, 3).join(" ")}: ${err.trim() || out.trim()}`);
  return out;
}

async function compile(outfile: string, more: readonly string[]): Promise<void> {
  const source = join(ROOT, "src", "main.ts");
  const options = ["--compile", "--minify", "--sourcemap=none", ...CLOSED, ...more, "--outfile", outfile];
  await run([process.execPath, "build", ...options, source], ROOT);
}

/** The path of the platform's runtime, unpacked in `folder`. @throws when it is not the one that the lockfile names */
async function fetchRuntime({ runtime }: Target, folder: string): Promise<string> {
  const lock = await Bun.file(join(ROOT, "package-lock.json")).json();
  const { version, integrity } = lock.packages[`node_modules/${runtime}`];
  await run(["npm", "pack", "--silent", `${runtime}@${version}`], folder);
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm packed nothing");
  const bytes = await Bun.file(join(folder, tarball)).bytes();
  const found = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
  if (found !== integrity) throw new Error(`${runtime}@${version} is not what package-lock.json names`);
  await run(["tar", "-xzf", tarball], folder);
  const bin = join(folder, "package", "bin");
  const [program] = (await readdir(bin)).filter((name) => /^bun(?:\.exe)?$/.test(name));
  if (program === undefined) throw new Error(`${runtime} holds no bun`);
  return join(bin, program);
}

async function buildFor(target: Target, out: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "build-"));
  try {
    const runtime = await fetchRuntime(target, folder);
    const how = [`--target=${target.bun}`, `--compile-executable-path=${runtime}`];
    await compile(join(out, target.file), how);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** In the form that `sha256sum -c` reads. */
async function writeSums(out: string): Promise<void> {
  const names = (await readdir(out)).filter((name) => name.startsWith("sub2api_simple")).toSorted();
  const lines = await Promise.all(
    names.map(async (name) => {
      const bytes = await Bun.file(join(out, name)).bytes();
      return `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`;
    }),
  );
  await Bun.write(join(out, "SHA256SUMS"), lines.join(""));
}

const { values } = parseArgs({ options: { all: { type: "boolean" }, out: { type: "string" } } });
const out = values.out ?? join(ROOT, "output");
await mkdir(out, { recursive: true });
const here = join(out, process.platform === "win32" ? "sub2api_simple.exe" : "sub2api_simple");
await compile(here, []);
process.stdout.write(`${here}\n`);
let failed = 0;
for (const target of values.all === true ? TARGETS : []) {
  try {
    await buildFor(target, out);
    process.stdout.write(`${join(out, target.file)}\n`);
  } catch (error) {
    failed += 1;
    process.stderr.write(`${target.file} could not be made: ${String(error)}\n`);
  }
}
await writeSums(out);
process.exit(failed === 0 ? 0 : 1);
