// Who holds a claim on a login, so that one of a process that has died need not be waited for. Only a process that can
// be looked for is ever taken for dead: on this host, and among the processes this one sees.

import { randomUUID } from "node:crypto";
import { readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Tells this process from an earlier one of the same number. */
const INSTANCE = randomUUID();

/** A new claim's owner. */
export function newOwner(): string {
  return [placeOf(), process.pid, INSTANCE, randomUUID()].join("/");
}

/** Whether the process that made this owner has surely ended. */
export function hasDied(owner: string): boolean {
  const [place, pid, instance] = owner.split("/");
  if (place !== placeOf() || instance === undefined) return false;
  if (Number(pid) === process.pid) return instance !== INSTANCE;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    // Anything else is a process that is there and another user's.
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}

/** Containers may share a host's name, and not its processes. */
function placeOf(): string {
  return `${hostname().replaceAll("/", "")} ${processSpace().replaceAll("/", "")}`;
}

function processSpace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return process.platform;
  }
}
