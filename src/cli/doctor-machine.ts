// Of the machine: who may read the config, what the environment does to connections, and how many files may be open.

import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import process from "node:process";
import type { Finding, World } from "./doctor-findings.ts";

const SECRET =
  /"(?:api_key|oauth_token|refresh_token|token|admin_token)"\s*:\s*"(?!\$\{)[^"]+"|"auth_tokens"\s*:\s*\[\s*"(?!\$\{)/;
/** A stream takes two: the client's connection and the upstream's. */
const FILES_A_STREAM = 2;
const FILES_BESIDE = 200;
const PROXIES = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

export function checkConfigFile({ configPath }: World): Finding[] {
  const subject = configPath;
  const good: Finding = { check: "config", state: "ok", subject, what: "is good" };
  if (process.platform === "win32") return [good];
  const open = (statSync(configPath).mode & 0o077) !== 0;
  if (!open || !SECRET.test(readFileSync(configPath, "utf8"))) return [good];
  const what = "holds keys as plain text, and others on this machine may read it";
  return [good, { check: "config", state: "warn", subject, what, todo: `chmod 600 ${configPath}` }];
}

export function checkEnvironment({ io: { env } }: World): Finding[] {
  const findings: Finding[] = [];
  if (env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0")
    findings.push({
      check: "machine",
      state: "fail",
      subject: "NODE_TLS_REJECT_UNAUTHORIZED=0",
      what: "makes the gateway send keys to servers that anybody may have put up",
      todo: "unset it; for a certificate of your own, name its authority in NODE_EXTRA_CA_CERTS",
    });
  const proxy = PROXIES.find((name) => (env[name] ?? "") !== "");
  if (proxy !== undefined)
    findings.push({
      check: "machine",
      state: "warn",
      subject: proxy,
      what: 'is set: accounts without a "proxy" of their own go through it',
      todo: 'unset it, or give each account that needs one its own "proxy"',
    });
  return findings;
}

export function checkOpenFiles({ config }: World): Finding[] {
  if (process.platform === "win32") return [];
  const limit = Number(spawnSync("sh", ["-c", "ulimit -n"]).stdout.toString().trim());
  const subject = "open files";
  if (!Number.isFinite(limit)) return [{ check: "machine", state: "ok", subject, what: "are not limited" }];
  const slots = config.accounts.reduce(
    (sum, { concurrency, disabled }) => sum + (disabled ? 0 : concurrency),
    0,
  );
  const needed = slots * FILES_A_STREAM + FILES_BESIDE;
  if (limit >= needed)
    return [
      { check: "machine", state: "ok", subject, what: `may be ${limit}; ${slots} slots need ${needed}` },
    ];
  const what = `may be only ${limit}; ${slots} slots need ${needed}`;
  return [
    {
      check: "machine",
      state: "warn",
      subject,
      what,
      todo: `ulimit -n ${needed}, or LimitNOFILE= in the unit`,
    },
  ];
}
