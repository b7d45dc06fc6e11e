// haproxy and nginx as people put them in front: each alone before a recorder, and before the gateway. Every request that
// one of them passes on carries a mark that no client knows.
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closedPort } from "../support/ports.ts";

export type FrontName = "haproxy" | "nginx";

export const MARK_HEADER = "x-front-mark";
const READY_MS = 10_000;

export interface Front extends AsyncDisposable {
  readonly name: FrontName;
  /** Before each of the targets, in their order. */
  readonly ports: readonly number[];
}

interface Program {
  readonly paths: readonly string[];
  readonly config: (folder: string, routes: readonly Route[], mark: string) => string;
  readonly command: (program: string, folder: string, config: string) => readonly string[];
}

interface Route {
  readonly port: number;
  readonly to: number;
}

function haproxyConfig(_folder: string, routes: readonly Route[], mark: string): string {
  const parts = routes.map(
    ({ port, to }) => `
frontend f${port}
  bind 127.0.0.1:${port}
  http-request set-header ${MARK_HEADER} ${mark}
  default_backend b${port}
backend b${port}
  http-reuse always
  server s 127.0.0.1:${to}`,
  );
  return `global
  maxconn 2000
defaults
  mode http
  retries 0
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout http-request 30s
${parts.join("\n")}
`;
}

function nginxConfig(folder: string, routes: readonly Route[], mark: string): string {
  const temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const parts = routes.map(
    ({ port, to }) => `
  upstream u${port} { server 127.0.0.1:${to}; keepalive 64; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://u${port};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header ${MARK_HEADER} ${mark};
      proxy_next_upstream off;
    }
  }`,
  );
  return `daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log ${folder}/error.log crit;
events { worker_connections 2000; }
http {
  access_log off;
  ${temps.map((each) => `${each}_temp_path ${folder}/${each};`).join("\n  ")}
${parts.join("\n")}
}
`;
}

const PROGRAMS: Readonly<Record<FrontName, Program>> = {
  haproxy: {
    paths: ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"],
    config: haproxyConfig,
    command: (program, _folder, config) => [program, "-db", "-f", config],
  },
  nginx: {
    paths: ["/usr/sbin/nginx", "/usr/local/sbin/nginx"],
    config: nginxConfig,
    command: (program, folder, config) => [
      program,
      "-c",
      config,
      "-p",
      folder,
      "-e",
      join(folder, "error.log"),
    ],
  },
};
export const FRONT_NAMES: readonly FrontName[] = ["haproxy", "nginx"];

function programOf(name: FrontName): string | undefined {
  return Bun.which(name) ?? PROGRAMS[name].paths.find((path) => existsSync(path));
}

/** Undefined when it is not installed. */
export async function startFront(
  name: FrontName,
  targets: readonly number[],
  mark: string,
): Promise<Front | undefined> {
  const program = programOf(name);
  if (program === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "front-"));
  const routes: Route[] = [];
  for (const to of targets) routes.push({ port: await closedPort(), to });
  const config = join(folder, "config");
  await writeFile(config, PROGRAMS[name].config(folder, routes, mark));
  const command = [...PROGRAMS[name].command(program, folder, config)];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const said = new Response(child.stderr).text();
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await child.exited;
    await rm(folder, { recursive: true, force: true });
  };
  const ports = routes.map(({ port }) => port);
  if (!(await listening(ports[0] ?? 0, () => child.exitCode === null))) {
    await stop();
    throw new Error(`${name} did not start: ${await said}`);
  }
  return { name, ports, [Symbol.asyncDispose]: stop };
}

async function listening(port: number, running: () => boolean): Promise<boolean> {
  const until = performance.now() + READY_MS;
  while (performance.now() < until && running()) {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = connect({ port, host: "127.0.0.1" }, () => resolve(true));
    socket.on("error", () => resolve(false));
    const is = await promise;
    socket.destroy();
    if (is) return true;
    await Bun.sleep(20);
  }
  return false;
}
