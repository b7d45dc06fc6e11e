// docs/security.md promises what tests prove: each promise once, and each test named there is there.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");
const PROMISES = 36;

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

test("each of the promises stands there once, with its proof or the reason why there is none", () => {
  const rows = read("docs/security.md")
    .split("\n")
    .filter((line) => /^\| S\d+ \|/.test(line));
  expect(rows.map((row) => row.split("|")[1]?.trim())).toEqual(
    Array.from({ length: PROMISES }, (_, index) => `S${index + 1}`),
  );
  for (const row of rows) {
    const [, , , proof = ""] = row.split("|").map((cell) => cell.trim());
    const [, path, name] = /^`([^`]+)` "([^"]+)"$/.exec(proof) ?? [];
    if (path === undefined || name === undefined) {
      expect(proof).toMatch(/^[A-Z].*\.$/);
      continue;
    }
    expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
    expect([name, read(path).includes(name)]).toEqual([name, true]);
  }
});

test("S34: dependencies are few, pinned and locked with hashes", () => {
  const { dependencies, devDependencies, scripts } = JSON.parse(read("package.json")) as Record<
    string,
    Record<string, string>
  >;
  const all = [...Object.values(dependencies ?? {}), ...Object.values(devDependencies ?? {})];
  for (const version of all) expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
  expect(Object.keys(dependencies ?? {}).length).toBeLessThan(10);
  for (const name of ["preinstall", "install", "postinstall", "prepare"])
    expect(scripts?.[name]).toBeUndefined();
  const { packages } = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { integrity?: string; link?: boolean; resolved?: string }>;
  };
  for (const [path, { integrity, resolved }] of Object.entries(packages)) {
    if (path !== "") expect([path, integrity?.slice(0, 7)]).toEqual([path, "sha512-"]);
    expect(resolved).toBeUndefined();
  }
});
