// Checks of what the machine brings along: proxies of the environment, switches that weaken TLS, limits, the runtime.

import { existsSync } from "node:fs";
import type { Config } from "../config/schema.ts";
import { RUNTIME } from "../core/version.ts";
import { about, type Finding } from "./doctor-finding.ts";
import { environmentProxy } from "./doctor-proxies.ts";
import type { Io } from "./io.ts";

/** Files, listeners, connections to the database and to those who ask how it is. */
const OWN_FILES = 64;

export function checkMachine(io: Io, config: Config | undefined): readonly Finding[] {
  const { env } = io;
  return [
    ...checkTls(env),
    ...(config === undefined ? [] : [...checkProxies(env, config), ...checkOpenFiles(config)]),
    checkRuntime(),
  ];
}

function checkTls(env: Io["env"]): readonly Finding[] {
  const found: Finding[] = [];
  if (env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0") {
    const why = "is 0: every certificate is taken, so anybody on the way can read keys and answers";
    const advice =
      "unset NODE_TLS_REJECT_UNAUTHORIZED; for an authority of your own: NODE_EXTRA_CA_CERTS=FILE with its certificate";
    found.push(about("environment", "NODE_TLS_REJECT_UNAUTHORIZED").fail(why, advice));
  }
  const authority = env["NODE_EXTRA_CA_CERTS"] ?? "";
  if (authority !== "" && !existsSync(authority)) {
    const advice = "name a file with certificates in PEM, or unset NODE_EXTRA_CA_CERTS";
    found.push(
      about("environment", "NODE_EXTRA_CA_CERTS").warn(`names ${authority}, which is not there`, advice),
    );
  }
  return found;
}

/** What the environment's proxies do here: Bun heeds them for every account without a proxy of its own. */
function checkProxies(env: Io["env"], { accounts }: Config): readonly Finding[] {
  const users = new Map<string, { readonly url: string; readonly names: string[] }>();
  for (const { name, proxy, baseUrl, disabled } of accounts) {
    if (disabled || proxy !== undefined) continue;
    const found = environmentProxy(baseUrl, env);
    if (found === undefined) continue;
    const { names } = users.get(found.variable) ?? { names: [] };
    users.set(found.variable, { url: found.url, names: [...names, name] });
  }
  return [...users].map(([variable, { url, names }]) => {
    const pen = about("environment", variable);
    const who = names.join(", ");
    if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
      return pen.fail(
        `is no HTTP proxy's address, and ${who} would go by it`,
        `set ${variable}=http://HOST:PORT, or unset it`,
      );
    const except =
      (env["NO_PROXY"] ?? "") === "" && (env["no_proxy"] ?? "") === "" ? "" : "; NO_PROXY excepts others";
    return pen.ok(`is set, and these accounts go by it: ${who}${except}. An account's own proxy comes first`);
  });
}

function checkOpenFiles({ accounts, queueSize }: Config): readonly Finding[] {
  const limit = openFileLimit();
  if (limit === undefined) return [];
  const slots = accounts.reduce((sum, each) => sum + (each.disabled ? 0 : each.concurrency), 0);
  // A request has a connection to its client and one to its upstream; one that waits has the first only.
  const needed = 2 * slots + queueSize + OWN_FILES;
  const pen = about("open files", `limit ${limit}`);
  if (limit >= needed) return [pen.ok(`is enough for ${slots} requests at once and ${queueSize} that wait`)];
  const why = `is low: ${slots} requests at once and ${queueSize} that wait need about ${needed}`;
  return [
    pen.warn(why, `ulimit -n ${needed}, or LimitNOFILE=${needed} in the systemd unit; or lower concurrency`),
  ];
}

/** Of this process and those started beside it; undefined where there is none, or nobody tells. */
function openFileLimit(): number | undefined {
  if (process.platform === "win32") return undefined;
  const shell = Bun.spawnSync(["sh", "-c", "ulimit -n"], { stdin: "ignore", stderr: "ignore" });
  const limit = Number(shell.stdout.toString().trim() || Number.NaN);
  return Number.isInteger(limit) ? limit : undefined;
}

function checkRuntime(): Finding {
  const pen = about("runtime", `Bun ${Bun.version}`);
  if (Bun.version === RUNTIME) return pen.ok("is the version this program is tested with");
  const advice = "use the one that `npm ci` brings (npm start), or the compiled program";
  return pen.warn(`is not ${RUNTIME}, the version this program is tested with`, advice);
}
