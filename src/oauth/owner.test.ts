import { expect, test } from "bun:test";
import { hasDied, newOwner } from "./owner.ts";

/** As an owner of a process with this number would be called here. */
function ofProcess(pid: number, instance: string): string {
  const [place] = newOwner().split("/");
  return [place, pid, instance, "claim"].join("/");
}

test("no owner of this process, and none of a process that runs, is dead", () => {
  expect(newOwner()).not.toBe(newOwner());
  expect(hasDied(newOwner())).toBe(false);
  expect(hasDied(ofProcess(process.ppid, "x"))).toBe(false);
});

test("an earlier process of this one's number is dead, and so is one that has ended", async () => {
  expect(hasDied(ofProcess(process.pid, "an earlier one"))).toBe(true);
  const child = Bun.spawn(["true"]);
  await child.exited;
  expect(hasDied(ofProcess(child.pid, "x"))).toBe(true);
});

test("of a process elsewhere nobody can say that it is dead", async () => {
  const child = Bun.spawn(["true"]);
  await child.exited;
  const [, ...rest] = ofProcess(child.pid, "x").split("/");
  expect(hasDied(["another host", ...rest].join("/"))).toBe(false);
  for (const unknown of ["", "one", "a/b", "0b5c7e1e-2f0c-4d41-9d0c-1b8a3c0f6f3a"])
    expect(hasDied(unknown)).toBe(false);
});
