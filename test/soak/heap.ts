// Loaded into the gateway before its own code, by `--heap`: what is left after a full collection, once in 30 s. Memory
// seen from outside also holds what the allocator keeps for later.
import { heapStats } from "bun:jsc";
import { appendFileSync } from "node:fs";

const file = process.env["SOAK_HEAP"];
const EVERY_MS = 30_000;

if (file !== undefined && process.argv[1]?.endsWith("/src/main.ts") === true)
  setInterval(() => {
    Bun.gc(true);
    const { heapSize, objectCount } = heapStats();
    appendFileSync(file, `${JSON.stringify({ atMs: performance.now(), heapSize, objectCount })}\n`);
  }, EVERY_MS).unref();
