// What Linux says of processes and connections: memory in use, and bytes that wait in the kernel's own buffers.
import { readFileSync } from "node:fs";

const ESTABLISHED = "01";

/** Resident memory of a process. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}

/** Bytes sent and not yet read, on all connections to and from this port of 127.0.0.1. */
export function queuedBytes(port: number): number {
  let bytes = 0;
  for (const line of readFileSync("/proc/net/tcp", "latin1").split("\n").slice(1)) {
    const [, local = "", remote = "", state, queues = ""] = line.trim().split(/\s+/);
    if (state !== ESTABLISHED || (portOf(local) !== port && portOf(remote) !== port)) continue;
    for (const queue of queues.split(":")) bytes += Number.parseInt(queue, 16);
  }
  return bytes;
}

function portOf(address: string): number {
  return Number.parseInt(address.split(":")[1] ?? "", 16);
}
