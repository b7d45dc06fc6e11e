// `npm run bench:streams`: many live streams on one machine. A process may open 20,000 files here and a stream takes two, so
// they are shared between gateways, each a process with a port of its own.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { cpuUs, endAll, rssBytes } from "../gateway/processes.ts";
import { startGateway, type Target } from "../gateway/targets.ts";

interface Seen {
  readonly dropped: number;
  readonly events: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mostMs: number;
}

interface World {
  readonly port: number;
  tell(line: string): void;
  next(): Promise<unknown>;
  stop(): void;
}

async function startWorld(streams: number, seconds: number): Promise<World> {
  const argv = [process.execPath, join(import.meta.dir, "world.ts"), String(streams), String(seconds)];
  const child = Bun.spawn(argv, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const texts = child.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let rest = "";
  const next = async (): Promise<unknown> => {
    while (!rest.includes("\n")) {
      const { value, done } = await texts.next();
      if (done === true) throw new Error("the streams' ends have gone");
      rest += value;
    }
    const [line = "", ...more] = rest.split("\n");
    rest = more.join("\n");
    return JSON.parse(line);
  };
  const { port } = (await next()) as { port: number };
  const tell = (line: string): void => {
    child.stdin.write(`${line}\n`);
    void child.stdin.flush();
  };
  return { port, tell, next, stop: () => child.kill() };
}

const MB = 1 << 20;
const round = (value: number): number => Math.round(value * 10) / 10;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      streams: { type: "string", default: "10000" },
      gateways: { type: "string", default: "2" },
      seconds: { type: "string", default: "60" },
    },
  });
  const count = Number(values.gateways);
  const each = Math.floor(Number(values.streams) / count);
  const seconds = Number(values.seconds);
  const worlds = await Promise.all(Array.from({ length: count }, () => startWorld(each, seconds)));
  const gateways: Target[] = [];
  for (const { port } of worlds) gateways.push(await startGateway(port));
  await Bun.sleep(3_000);
  const idle = gateways.reduce((sum, { pid }) => sum + rssBytes(pid), 0);
  for (const [index, world] of worlds.entries()) world.tell(String(gateways[index]?.port));
  const held = (await Promise.all(worlds.map((world) => world.next()))) as { held: number }[];
  const cpuBefore = gateways.reduce((sum, { pid }) => sum + cpuUs(pid), 0);
  await Bun.sleep((seconds * 1_000) / 2);
  const rss = gateways.reduce((sum, { pid }) => sum + rssBytes(pid), 0);
  const seen = (await Promise.all(worlds.map((world) => world.next()))) as Seen[];
  const cpuSeconds = (gateways.reduce((sum, { pid }) => sum + cpuUs(pid), 0) - cpuBefore) / 1e6;
  const total = held.reduce((sum, one) => sum + one.held, 0);
  const result = {
    streams: total,
    dropped: seen.reduce((sum, { dropped }) => sum + dropped, 0),
    events_per_second: round(seen.reduce((sum, { events }) => sum + events, 0) / seconds),
    latency_ms: {
      p50: round(Math.max(...seen.map(({ p50Ms }) => p50Ms))),
      p99: round(Math.max(...seen.map(({ p99Ms }) => p99Ms))),
      most: round(Math.max(...seen.map(({ mostMs }) => mostMs))),
    },
    rss_mb: { idle: round(idle / MB), held: round(rss / MB) },
    kb_a_stream: round((rss - idle) / 1024 / total),
    cores: round(cpuSeconds / seconds),
    load: readFileSync("/proc/loadavg", "latin1").split(" ").slice(0, 3).join(" "),
  };
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  for (const world of worlds) world.stop();
  return result.dropped === 0 && total === each * count ? 0 : 1;
}

let code = 1;
try {
  code = await main();
} finally {
  await endAll();
}
process.exit(code);
