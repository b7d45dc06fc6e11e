import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VERSION } from "../../src/core/version.ts";
import { smoke } from "./smoke.ts";

setDefaultTimeout(60_000);

const ROOT = join(import.meta.dirname, "..", "..");
const folder = await mkdtemp(join(tmpdir(), "packages-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(command: readonly string[], cwd: string): Promise<string> {
  const child = Bun.spawn([...command], { cwd, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}: ${err}${out}`);
  return out;
}

test("the source, as it is cloned, does what everybody does first", async () => {
  await smoke(join(ROOT, "bin", "sub2api_simple"));
});

test("the one file that is built does the same, alone in an empty folder", async () => {
  await run([process.execPath, "scripts/build.ts", "--out", folder], ROOT);
  const program = join(folder, "sub2api_simple");
  expect(await run([program, "--version"], folder)).toBe(`sub2api_simple ${VERSION}\n`);
  await smoke(program);
  expect(await run(["sha256sum", "-c", "SHA256SUMS"], folder)).toBe("sub2api_simple: OK\n");
});

test("the package that npm makes does the same where it is installed, with Bun beside it", async () => {
  await run(["npm", "pack", "--silent", "--pack-destination", folder], ROOT);
  const [tarball = ""] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  const modules = join(folder, "app", "node_modules");
  await mkdir(modules, { recursive: true });
  await run(["tar", "-xzf", join(folder, tarball), "-C", modules], folder);
  await run(["mv", "package", "sub2api_simple"], modules);
  // As npm lays it out: what the package needs is beside it, and programs are in .bin.
  for (const name of [
    ".bin",
    ...(await readdir(join(ROOT, "node_modules"))).filter((each) => !each.startsWith(".")),
  ])
    await symlink(join(ROOT, "node_modules", name), join(modules, name));
  const files = await readdir(join(modules, "sub2api_simple"), { recursive: true });
  expect(files.filter((name) => /\.test\.ts$|(^|\/)test-|^test\//.test(name))).toEqual([]);
  await smoke(join(modules, "sub2api_simple", "bin", "sub2api_simple"));
});
