// What is measured: the gateway, nginx and a bare proxy of the gateway's runtime, each in front of the same mock upstream.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { script, start, temporary } from "./processes.ts";

export interface Target {
  readonly pid: number;
  readonly port: number;
  /** From the start of the process until it was ready. */
  readonly readyMs: number;
  readonly stop: () => Promise<void>;
}

export const CLIENT_KEY = "bench-client-key-0123456789";
const READY_MS = 20_000;
const POLL_MS = 2;
const ROOT = join(import.meta.dir, "../..");
let made = 0;

export async function startUpstream(): Promise<Target> {
  const child = script("upstream.ts");
  const { port } = JSON.parse(await child.line()) as { port: number };
  return { pid: child.pid, port, readyMs: 0, stop: child.stop };
}

/** As cheap as nginx can be while it does what the gateway does: one worker, no buffering, bodies in memory. */
function nginxConfig(folder: string, port: number, upstream: number): string {
  const temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 10000; }
http {
  access_log off;
  ${temps.map((each) => `${each}_temp_path ${folder}/${each};`).join("\n  ")}
  client_body_buffer_size 1m;
  client_max_body_size 32m;
  keepalive_requests 10000000;
  keepalive_timeout 600;
  upstream mock { server 127.0.0.1:${upstream}; keepalive 1024; keepalive_requests 10000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600;
    }
  }
}
`;
}

export async function startNginx(upstream: number): Promise<Target> {
  const folder = newFolder("nginx");
  const port = freePort();
  const path = join(folder, "nginx.conf");
  writeFileSync(path, nginxConfig(folder, port, upstream));
  const argv = ["nginx", "-c", path, "-p", folder, "-e", join(folder, "error.log")];
  const begun = performance.now();
  const child = start({ argv, log: join(folder, "output") });
  await ready(port, "/");
  return { pid: child.pid, port, readyMs: performance.now() - begun, stop: child.stop };
}

/** One Anthropic and one OpenAI account that takes Responses only, and as many more as asked for. */
function gatewayConfig(port: number, upstream: number, accounts: number): object {
  const base_url = `http://127.0.0.1:${upstream}`;
  const common = { api_key: "bench-upstream-key", base_url, concurrency: 100_000 };
  const list: object[] = [
    { name: "claude", platform: "anthropic", ...common },
    { name: "gpt", platform: "openai", apis: ["responses"], ...common },
  ];
  while (list.length < accounts) list.push({ name: `more-${list.length}`, platform: "anthropic", ...common });
  return { listen_addr: `127.0.0.1:${port}`, auth_tokens: [CLIENT_KEY], accounts: list };
}

export async function startBare(upstream: number): Promise<Target> {
  const begun = performance.now();
  const child = script("bare.ts", String(upstream), { BUN_CONFIG_MAX_HTTP_REQUESTS: "65336" });
  const { port } = JSON.parse(await child.line()) as { port: number };
  return { pid: child.pid, port, readyMs: performance.now() - begun, stop: child.stop };
}

export async function startGateway(upstream: number, accounts = 2): Promise<Target> {
  const folder = newFolder("gateway");
  const port = freePort();
  const path = join(folder, "config.json");
  writeFileSync(path, JSON.stringify(gatewayConfig(port, upstream, accounts)));
  const argv = [process.execPath, join(ROOT, "src/main.ts"), "-config", path];
  const begun = performance.now();
  // Not beside the config: the gateway watches that folder.
  const child = start({ argv, log: `${folder}.log` });
  await ready(port, "/health/ready");
  return { pid: child.pid, port, readyMs: performance.now() - begun, stop: child.stop };
}

function newFolder(name: string): string {
  made += 1;
  const folder = temporary(`${name}-${made}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

function freePort(): number {
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = taken;
  taken.stop(true);
  return port;
}

/** Any answer will do from nginx, whose mock refuses a GET; the gateway's path answers 503 until it is ready. */
async function ready(port: number, path: string): Promise<void> {
  const until = performance.now() + READY_MS;
  while (performance.now() < until) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { keepalive: false });
      await response.arrayBuffer();
      if (path === "/" || response.ok) return;
    } catch {
      // Not listening yet.
    }
    await Bun.sleep(POLL_MS);
  }
  throw new Error(`nothing was ready on port ${port} within ${READY_MS} ms`);
}
