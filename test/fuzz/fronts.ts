// `npm run fuzz:http`: requests that two readers might read in two ways, sent to the gateway alone, to nginx and to haproxy
// (each before an upstream that writes down every byte), and through those to the gateway. Whoever stands in front must
// never let the gateway see more requests, or another body, than it saw itself.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readings } from "../faults/front.ts";
import type { Wire } from "../faults/front-wire.ts";
import { json } from "../support/answers.ts";
import { post, sendRaw } from "../support/client.ts";
import { account, CLIENT_KEY, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";
import { ask, textAnswer } from "../support/made-streams.ts";
import { closedPort } from "../support/ports.ts";
import { MODELS } from "../support/samples.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { Dice } from "./dice.ts";

interface Front extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
}

const body = JSON.stringify(ask("messages", { stream: false, model: MODELS.messages }));
const WIRE: Wire = {
  body,
  start: `POST /v1/messages HTTP/1.1\r\nhost: gateway\r\nx-api-key: ${CLIENT_KEY}\r\n`,
  length: `content-length: ${body.length}\r\n`,
};

function nginxFor(port: number, upstream: string, folder: string): readonly string[] {
  const path = join(folder, "nginx.conf");
  writeFileSync(
    path,
    `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; events {}
http { access_log off; client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
server { listen 127.0.0.1:${port}; location / { proxy_pass ${upstream}; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`,
  );
  return ["nginx", "-c", path, "-p", folder, "-e", join(folder, "error.log")];
}

function haproxyFor(port: number, upstream: string, folder: string): readonly string[] {
  const path = join(folder, "haproxy.cfg");
  writeFileSync(
    path,
    `defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
listen all
  bind 127.0.0.1:${port}
  server one ${new URL(upstream).host}
`,
  );
  return ["haproxy", "-f", path];
}

async function startFront(name: "nginx" | "haproxy", upstream: string): Promise<Front> {
  const folder = mkdtempSync(join(tmpdir(), "fronts-"));
  const port = await closedPort();
  const url = `http://127.0.0.1:${port}`;
  const command = name === "nginx" ? nginxFor(port, upstream, folder) : haproxyFor(port, upstream, folder);
  const child = Bun.spawn([...command], { stdout: "ignore", stderr: "ignore" });
  for (let tries = 0; tries < 200; tries += 1) {
    if ((await post(url, "/", "", { timeoutMs: 1_000 })).status > 0) break;
    await Bun.sleep(20);
  }
  return {
    name,
    url,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** How a request was read: the status it got, and what came of it at the upstream. */
interface Verdict {
  readonly status: number;
  readonly bodies: readonly string[];
}

async function verdict(url: string, bytes: Buffer, upstream: Upstream): Promise<Verdict> {
  const before = upstream.requests.length;
  const exchange = sendRaw(url, [bytes], { timeoutMs: 700 });
  const { status } = await exchange.reply;
  await Bun.sleep(10);
  exchange.socket.destroy();
  const bodies = upstream.requests.slice(before).map((request) => request.body.toString("latin1"));
  return { status, bodies };
}

/** The known ways, and mixtures of them: one way's head before another's body. */
function inputs(count: number, seed: number): readonly (readonly [string, Buffer])[] {
  const known = Object.entries(readings(WIRE)).map(([name, [, text]]) => [name, text] as const);
  const mixed = Array.from({ length: count }, (_, index) => {
    const dice = new Dice(seed + index);
    const [first, second] = [dice.pick(known), dice.pick(known)];
    const [head = ""] = first[1].split("\r\n\r\n");
    const rest = second[1].slice(second[1].indexOf("\r\n\r\n"));
    const lines = head.split("\r\n");
    const added = dice.pick([
      "",
      "transfer-encoding: chunked",
      "content-length: 3",
      "Connection: close",
      "Transfer-Encoding : chunked",
      "te: trailers",
      "expect: 100-continue",
    ]);
    if (added !== "") lines.splice(1 + dice.below(lines.length), 0, added);
    return [
      `${first[0]} + ${second[0]} + ${added} (seed ${seed + index})`,
      lines.join("\r\n") + rest,
    ] as const;
  });
  return [...known, ...mixed].map(([name, text]) => [name, Buffer.from(text, "latin1")] as const);
}

const short = ({ status, bodies }: Verdict): string =>
  `${status}${bodies.length === 0 ? "" : ` (${bodies.map((each) => (each === body ? "as sent" : `${each.length} other bytes`)).join(", ")})`}`;

async function main(): Promise<number> {
  const count = Number(process.argv[2] ?? 2_000);
  await using upstream = await startUpstream();
  upstream.otherwise(json(200, textAnswer("messages", "ok")));
  await using gateway = await startGateway(gatewayConfig([account("a", upstream.url)]));
  const names = ["nginx", "haproxy"] as const;
  const alone = await Promise.all(names.map((name) => startFront(name, upstream.url)));
  const before = await Promise.all(names.map((name) => startFront(name, gateway.url)));
  let wrong = 0;
  const ways = new Map<string, { count: number; example: string }>();
  for (const [name, bytes] of inputs(count, 1)) {
    const own = await verdict(gateway.url, bytes, upstream);
    const row = [`gateway ${short(own)}`];
    for (const [index, front] of alone.entries()) {
      const theirs = await verdict(front.url, bytes, upstream);
      const through = await verdict(before[index]?.url ?? "", bytes, upstream);
      row.push(`${front.name} ${short(theirs)}`, `through it ${short(through)}`);
      // What the gateway passed on must be what the front passes on, and no more of it.
      const extra = through.bodies.some((each, at) => theirs.bodies[at] !== each);
      if (extra || (own.bodies.length > 0 && own.bodies.some((each) => each !== body))) {
        wrong += 1;
        process.stdout.write(`TWO READINGS: ${name}: ${row.join(" | ")}\n`);
      }
    }
    const key = row.join(" | ");
    const way = ways.get(key) ?? { count: 0, example: name };
    ways.set(key, { ...way, count: way.count + 1 });
  }
  for (const [way, { count: times, example }] of [...ways].toSorted(([, a], [, b]) => b.count - a.count))
    process.stdout.write(`${String(times).padStart(5)} × ${way}   e.g. ${example}\n`);
  process.stdout.write(`${count + Object.keys(readings(WIRE)).length} requests, ${wrong} read in two ways\n`);
  for (const front of [...alone, ...before]) await front[Symbol.asyncDispose]();
  return wrong === 0 ? 0 : 1;
}

process.exit(await main());
