import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adminTokenOf } from "./admin-token.ts";

const root = mkdtempSync(join(tmpdir(), "admin-token-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(root, `data-${(count += 1)}`);

test("the configured token is used, and nothing is written", () => {
  const dataDir = fresh();
  expect(adminTokenOf({ adminToken: "configured-token", dataDir })).toBe("configured-token");
  expect(() => statSync(dataDir)).toThrow();
});

test("without one a token of 256 bits is made at the first start and kept for the next", () => {
  const dataDir = fresh();
  const token = adminTokenOf({ dataDir });
  expect(Buffer.from(token, "base64url").length).toBe(32);
  expect(adminTokenOf({ dataDir })).toBe(token);
  expect(adminTokenOf({ dataDir: fresh() })).not.toBe(token);
  expect(statSync(join(dataDir, "admin.token")).mode & 0o777).toBe(0o600);
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
});

test("a file that others may read is closed to them", () => {
  const dataDir = fresh();
  const token = adminTokenOf({ dataDir });
  chmodSync(join(dataDir, "admin.token"), 0o644);
  expect(adminTokenOf({ dataDir })).toBe(token);
  expect(statSync(join(dataDir, "admin.token")).mode & 0o777).toBe(0o600);
});

test("a link in its place is not followed, and an empty file is no token", () => {
  const dataDir = fresh();
  adminTokenOf({ dataDir });
  const path = join(dataDir, "admin.token");
  const elsewhere = join(root, "elsewhere");
  writeFileSync(elsewhere, "x".repeat(40));
  rmSync(path);
  symlinkSync(elsewhere, path);
  expect(() => adminTokenOf({ dataDir })).toThrow("cannot be used");
  expect(readFileSync(elsewhere, "utf8")).toBe("x".repeat(40));
  rmSync(path);
  writeFileSync(path, "\n");
  expect(() => adminTokenOf({ dataDir })).toThrow("too short");
});
