// `serve`: runs the gateway until it is told to stop. SIGTERM and SIGINT drain; a second one ends at once.

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { type App, startApp } from "../app.ts";
import { loadConfig } from "../config/load.ts";
import { formatProblems } from "../config/problems.ts";
import type { Config } from "../config/schema.ts";
import { type ConfigWatch, watchConfig } from "../config/watch.ts";
import { EXIT, type Io, programName } from "./io.ts";
import { runCommand } from "./run-command.ts";

const HELP = `Usage: sub2api_simple [serve] [-config FILE]

Runs the gateway. The config is FILE, else $SUB2API_CONFIG, else config.json; it is read
again when it changes and on SIGHUP. SIGTERM and SIGINT let running requests finish
(shutdown_grace); a second one ends at once.

  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  --recover                    move a damaged database aside and start with a new one
  -h, --help                   this text
`;

export function run(args: string[], io: Io): Promise<number> {
  const options = { recover: { type: "boolean" } } as const;
  return runCommand(args, io, { help: HELP, options }, ({ configPath, values }) => {
    return serve(resolve(io.cwd, configPath), io, values.recover === true);
  });
}

async function serve(path: string, io: Io, recover: boolean): Promise<number> {
  if (!existsSync(path)) {
    io.stderr.write(
      `There is no config at ${path}.\nMake one with: ${programName(io.env)} init -config ${path}\n`,
    );
    return EXIT.usage;
  }
  const loaded = await loadConfig(path, io.env);
  if (!loaded.ok) {
    io.stderr.write(formatProblems(path, loaded.problems));
    return EXIT.usage;
  }
  // While it starts, a hangup asks for what is done anyway.
  process.on("SIGHUP", () => undefined);
  let app: App;
  try {
    const tokenState = join(dirname(path), "token_state.json");
    app = await startApp({ config: loaded.config, output: process.stdout, env: io.env, tokenState, recover });
  } catch (error) {
    io.stderr.write(
      `The gateway could not start: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return EXIT.failed;
  }
  greet(io, app, loaded.config);
  const watch = follow(path, loaded.config, app, io);
  await stopped(app);
  watch.close();
  return EXIT.done;
}

function greet(io: Io, app: App, config: Config): void {
  const rows = app.pool.snapshot().map(({ account, state }) => {
    const { name, platform, type, priority, concurrency } = account;
    const shown = state === "ready" && app.isUntried(name) ? "untried" : state;
    return `  ${name.padEnd(20)} ${platform.padEnd(9)} ${type.padEnd(7)} priority ${priority}, ${concurrency} slots, ${shown}`;
  });
  const keys = config.authTokens.length + config.clientKeys.length;
  io.stdout.write(
    `sub2api_simple listens on ${app.url}\n${rows.join("\n")}\n${keys} client key(s), data in ${config.dataDir}\n`,
  );
  tellNeedy(io, app, []);
}

/** Which accounts have to sign in. */
function needyOf(app: App): readonly string[] {
  const needy = app.pool.snapshot().filter(({ state }) => state === "needs_login");
  return needy.map(({ account: { name } }) => name);
}

/** Says where to sign in those accounts that have to, but for these. */
function tellNeedy(io: Io, app: App, told: readonly string[]): void {
  const logins = needyOf(app).flatMap((name) => {
    const url = told.includes(name) ? undefined : app.loginUrl(name);
    return url === undefined ? [] : [`  ${name.padEnd(20)} ${url}`];
  });
  if (logins.length === 0) return;
  const elsewhere = `${programName(io.env)} login NAME --device`;
  io.stdout.write(`To sign in, open in a browser (or elsewhere: ${elsewhere}):\n${logins.join("\n")}\n`);
}

/** Which settings differ that hold from the start to the end of a process. */
function lasting(started: Config, config: Config): string[] {
  const { host, port } = config.listen;
  const listens = started.listen.host === host && started.listen.port === port;
  const stays = started.dataDir === config.dataDir;
  return [...(listens ? [] : ["listen_addr"]), ...(stays ? [] : ["data_dir"])];
}

function follow(path: string, current: Config, app: App, io: Io): ConfigWatch {
  return watchConfig({
    path,
    current,
    env: io.env,
    onConfig(config) {
      const told = needyOf(app);
      void app.reload(config).then(() => tellNeedy(io, app, told));
      app.log({
        level: "info",
        event: "config-reloaded",
        fields: { path, accounts: config.accounts.length },
      });
      const settings = lasting(current, config);
      if (settings.length > 0)
        app.log({ level: "warn", event: "restart-needed", fields: { settings: settings.join(" ") } });
    },
    onProblems(problems) {
      app.log({ level: "error", event: "config-refused", fields: { path, problems: problems.length } });
      io.stderr.write(`${formatProblems(path, problems)}The configuration before stays in force.\n`);
    },
  });
}

/** Resolves when the gateway has stopped. */
async function stopped(app: App): Promise<void> {
  const signal = Promise.withResolvers<NodeJS.Signals>();
  const again = Promise.withResolvers<NodeJS.Signals>();
  const hear = (name: NodeJS.Signals): void => {
    signal.resolve(name);
    process.removeListener("SIGTERM", hear).removeListener("SIGINT", hear);
    process.once("SIGTERM", again.resolve).once("SIGINT", again.resolve);
  };
  process.on("SIGTERM", hear).on("SIGINT", hear);
  app.log({ level: "info", event: "draining", fields: { signal: await signal.promise } });
  const drained = app.drain();
  const second = await Promise.race([drained, again.promise]);
  if (second === undefined) return;
  app.log({ level: "warn", event: "stopping", fields: { signal: second } });
  await app.close();
}
