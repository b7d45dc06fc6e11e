// The composition root: the one file that knows every folder.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createEnvelopes } from "./core/envelope.ts";
import { systemClock } from "./core/clock.ts";
import type { Config } from "./config/schema.ts";
import type { Account, Protocol } from "./core/account.ts";
import type { Logins, LoginStore } from "./core/login.ts";
import { asGatewayError, faultOf, GatewayError } from "./core/errors.ts";
import type { ClientKey } from "./core/exchange.ts";
import type { AccountStatus, Clock, Log, Records } from "./core/ports.ts";
import { authenticate } from "./gateway/authenticate.ts";
import type { Settings } from "./gateway/deps.ts";
import { createGateway, type Gateway } from "./gateway/gateway.ts";
import { errorHeaders } from "./gateway/tell.ts";
import { createModelList } from "./gateway/models.ts";
import { ownResponse } from "./gateway/read.ts";
import { requestId } from "./http/answers.ts";
import { healthRoutes } from "./http/health.ts";
import { modelsRoute } from "./http/models.ts";
import { shared } from "./http/shared.ts";
import { type Routes, type Server, startServer } from "./http/server.ts";
import type { SocketRoutes } from "./http/websocket-session.ts";
import { openDoor, openLogins, type OpenLogins } from "./logins.ts";
import { createLog } from "./logs/log.ts";
import { requestLine } from "./logs/request-line.ts";
import { type OutputStream, outputSink } from "./logs/sink.ts";
import { createPool, type Pool } from "./pool/pool.ts";
import type { LoginRoutes } from "./oauth/login-routes.ts";
import { CODECS } from "./protocols/index.ts";
import { PROVIDERS } from "./providers/index.ts";
import { accountOf, poolSettingsOf, secretsOf, settingsOf, type Standings } from "./settings.ts";
import { memoryLoginStore } from "./stores/memory.ts";
import { openRecords } from "./stores/sqlite.ts";

/** How long clients are given to take their error events when the gateway stops. */
const HALT_MS = 1_000;

export interface AppOptions {
  readonly config: Config;
  /** Where log lines go: aligned and coloured for people on a terminal, JSON elsewhere. */
  readonly output?: OutputStream;
  /** Takes the lines instead. */
  readonly log?: Log;
  readonly clock?: Clock;
  /** Instead of the SQLite file in `data_dir`. */
  readonly records?: Records;
  /** Instead of the logins in that file. */
  readonly logins?: LoginStore;
  /** For tests: the port of the callback listener. */
  readonly callbackPort?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A `token_state.json` of an older program, taken in once. */
  readonly tokenState?: string;
  /** Moves a damaged database aside and starts with a new one. */
  readonly recover?: boolean;
}

export interface App {
  readonly url: string;
  readonly log: Log;
  readonly pool: { snapshot(): readonly AccountStatus[] };
  /** Where somebody signs this account in, if the gateway keeps a login for it. Holds a one-time ticket if need be. */
  loginUrl(account: string): string | undefined;
  /** Whether the account's login is a refresh token that has not been redeemed yet. */
  isUntried(account: string): boolean;
  /** Takes a new configuration into use at once; what is under way goes on. Resolves when its logins are read. */
  reload(config: Config): Promise<void>;
  /** Refuses new requests and waits for those under way, then ends the rest. */
  drain(): Promise<void>;
  /** Ends everything now. */
  close(): Promise<void>;
}

export async function startApp(options: AppOptions): Promise<App> {
  const { clock = systemClock } = options;
  const secrets = new Set<string>();
  const log = options.log ?? logTo(options.output, clock, secrets);
  const current = new Current(options.config, secrets);
  const records =
    options.records ?? openFile(current.config, { clock, log, recover: options.recover ?? false });
  const logins = await loginsFor(options, { current, clock, log, secrets });
  const settings = poolSettingsOf(current.config);
  const pool = createPool({ accounts: current.accounts, settings, clock, random: Math.random, records, log });
  current.onRenewed = (account) => pool.renewed(account);
  current.onAccounts = () => pool.reload(current.accounts, poolSettingsOf(current.config));
  const gateway = createGateway({
    settings: () => current.settings,
    clock,
    random: Math.random,
    pool,
    envelopes: createEnvelopes(logins.masterKeys),
    codecs: CODECS,
    logins: logins.custody,
    providers: PROVIDERS,
    records,
    log,
    requestLine,
  });
  const door = openDoor(logins, { config: () => current.config, clock });
  const routes = { ...routesOf({ current, pool, gateway, clock, logins: logins.custody }), ...door.routes };
  const server = listen(current, log, routes);
  return {
    url: server.url,
    log,
    pool: { snapshot: () => pool.status() },
    loginUrl: (account) => door.urlFor(account, server.port),
    isUntried: (account) => logins.custody.isUntried(account),
    async reload(next) {
      current.take(next);
      pool.reload(current.accounts, poolSettingsOf(next));
      try {
        await logins.reload();
      } catch (error) {
        log({ level: "error", event: "logins-not-reloaded", fields: { error: String(error) } });
      }
    },
    ...endOf({ current, clock, gateway, server, logins, keepers: [pool, records] }),
  };
}

function listen(current: Current, log: Log, routes: Routes): Server {
  const { host = "::", port } = current.config.listen;
  const onError = (error: unknown): void =>
    log({ level: "error", event: "unhandled", fields: { error: String(error) } });
  return startServer({
    host,
    port,
    onError,
    trustedProxies: () => current.config.trustedProxies,
    maxBodyBytes: () => current.settings.maxBodyBytes,
    routes,
  });
}

interface Running {
  readonly current: Current;
  readonly clock: Clock;
  readonly gateway: Gateway;
  readonly server: Server;
  readonly logins: OpenLogins;
  /** What is closed last, in this order. */
  readonly keepers: readonly { close(): void }[];
}

function endOf({ current, clock, gateway, server, logins, keepers }: Running): Pick<App, "drain" | "close"> {
  const ended = (waiting: Clock, withinMs: number): Promise<void> =>
    settled(
      waiting,
      // A browser that comes back with a code cannot come twice.
      () => gateway.live.size === 0 && server.pending() === 0 && logins.flows.pending() === 0,
      withinMs,
    );
  const close = async (): Promise<void> => {
    current.draining = true;
    server.leave();
    for (const exchange of gateway.live) exchange.halt(stopping());
    // In real time whatever clock there is: this is about bytes on their way out.
    await ended(systemClock, HALT_MS);
    await server.stop(true);
    await logins.close();
    for (const keeper of keepers) keeper.close();
  };
  const drain = async (): Promise<void> => {
    current.draining = true;
    server.leave();
    await ended(clock, current.config.shutdownGraceMs);
    await close();
  };
  return { drain, close };
}

/** The configuration in force. */
class Current {
  config: Config;
  settings: Settings;
  accounts: readonly Account[] = [];
  draining = false;
  /** How logins stand, once they are open. */
  standing: Standings = () => ({ state: "needs_login", reason: "is not loaded yet" });
  /** The accounts stand differently. */
  onAccounts: () => void = () => {};
  /** An account has a good login again. */
  onRenewed: (account: string) => void = () => {};
  #isDue = false;
  readonly #secrets: Set<string>;

  constructor(config: Config, secrets: Set<string>) {
    this.#secrets = secrets;
    this.config = config;
    this.settings = settingsOf(config);
    this.take(config);
  }

  take(config: Config): void {
    this.config = config;
    this.settings = settingsOf(config);
    this.look();
    for (const secret of secretsOf(config)) this.#secrets.add(secret);
  }

  /** Many logins may change in one turn; the pool hears of them at once. */
  loginsChanged(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.look();
      this.onAccounts();
    });
  }

  look(): void {
    this.accounts = this.config.accounts.map((account) => accountOf(account, this.standing));
  }
}

interface Beneath {
  readonly current: Current;
  readonly clock: Clock;
  readonly log: Log;
  readonly secrets: Set<string>;
}

async function loginsFor(
  options: AppOptions,
  { current, clock, log, secrets }: Beneath,
): Promise<OpenLogins> {
  const logins = await openLogins({
    config: () => current.config,
    clock,
    random: Math.random,
    log,
    env: options.env ?? process.env,
    store: options.logins ?? (options.records === undefined ? undefined : memoryLoginStore(clock)),
    onChange: () => current.loginsChanged(),
    onRenewed: (account) => current.onRenewed(account),
    secrets,
    tokenState: options.tokenState,
    recover: options.recover ?? false,
    callbackPort: options.callbackPort,
  });
  current.standing = (name) => logins.custody.standing(name);
  current.look();
  return logins;
}

interface Parts {
  readonly current: Current;
  readonly pool: Pool;
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly logins: Logins;
}

function routesOf({ current, pool, gateway, clock, logins }: Parts): Omit<Routes, keyof LoginRoutes> {
  const models = createModelList(
    { settings: () => current.settings, clock, providers: PROVIDERS, logins },
    () => current.accounts,
  );
  const keyOf = (headers: Headers): ClientKey => authenticate(headers, current.settings.keys);
  return {
    exchange: (request, protocol) => {
      if (current.draining) return Promise.resolve(refuse(stopping(), protocol));
      return gateway.handle(request, protocol);
    },
    errand: errandRoute({ current, gateway, clock }, keyOf),
    sockets: socketRoutes({ current, pool, gateway, clock }, keyOf),
    models: modelsRoute({
      names: (headers) => models(keyOf(headers)),
      refuse: (error, request) =>
        refuse(error ?? new GatewayError("model_not_found", "no such model"), protocolOf(request)),
    }),
    ...healthRoutes({
      accounts: () => pool.status(),
      mayLook: (headers) => hasKey(headers) && keyOf(headers) !== undefined,
      refuse: (error) => refuse(error, "responses"),
      draining: () => current.draining,
      wall: () => clock.wall(),
    }),
  };
}

const COUNT = "/v1/messages/count_tokens";
const COMPACT = "/v1/responses/compact";

/** Paths of the services that the gateway does not speak itself. */
function errandRoute(
  { current, gateway, clock }: Pick<Parts, "current" | "gateway" | "clock">,
  keyOf: (headers: Headers) => ClientKey,
): Routes["errand"] {
  const count = shared({
    handle: (request) => gateway.handle(request, "messages", { path: COUNT, free: true }),
    admit: keyOf,
    refuse: (thrown) => refuse(thrown, "messages"),
    maxBytes: () => current.settings.maxBodyBytes,
    bodyTimeoutMs: () => current.settings.bodyTimeoutMs,
    clock,
  });
  return (request, asked) => {
    const path = asked.startsWith("/v1/") ? asked : `/v1${asked}`;
    const isAnthropic = path.startsWith("/v1/messages/") || request.headers.has("anthropic-version");
    const protocol = path === COMPACT ? "responses" : isAnthropic ? "messages" : "chat";
    if (current.draining) return Promise.resolve(refuse(stopping(), protocol));
    if (path === COUNT) return count(request);
    const platform = isAnthropic ? "anthropic" : "openai";
    return gateway.handle(request, protocol, path === COMPACT ? { path } : { path, platform });
  };
}

function socketRoutes(
  { current, pool, gateway, clock }: Omit<Parts, "logins">,
  keyOf: (headers: Headers) => ClientKey,
): SocketRoutes {
  return {
    admit: (headers) => {
      if (current.draining) throw stopping();
      return keyOf(headers);
    },
    exchange: (request) => gateway.handle(request, "responses"),
    unfold: (answer) => CODECS.responses.wire.unfold(answer),
    wall: () => clock.wall(),
    holds: (key, id) => pool.holds(ownResponse(key, id)),
    refuse: (thrown) => refuse(thrown, "responses"),
    maxBytes: () => current.settings.maxBodyBytes,
  };
}

function logTo(output: OutputStream | undefined, clock: Clock, secrets: ReadonlySet<string>): Log {
  if (output === undefined) return () => {};
  return createLog({ write: outputSink(output), terminal: output.isTTY === true, wall: clock.wall, secrets });
}

function openFile(config: Config, options: { clock: Clock; log: Log; recover: boolean }): Records {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  return openRecords({ path: join(config.dataDir, "sub2api.sqlite"), ...options });
}

function hasKey(headers: Headers): boolean {
  return headers.has("authorization") || headers.has("x-api-key");
}

function stopping(): GatewayError {
  return new GatewayError("shutting_down", "the gateway is shutting down", { retryAfterMs: 1_000 });
}

/** The protocol whose error shape a client of a shared route reads. */
function protocolOf(request: Request): Protocol {
  return request.headers.has("anthropic-version") ? "messages" : "responses";
}

/** An error outside the request line. */
function refuse(thrown: unknown, protocol: Protocol): Response {
  const error = asGatewayError(thrown);
  const { wire } = CODECS[protocol];
  const fault = faultOf(error, wire.family);
  const id = requestId();
  const headers = errorHeaders(fault);
  headers.set("x-request-id", id);
  return new Response(JSON.stringify(wire.errorBody(fault, id)), { status: fault.status, headers });
}

/** Waits until `done`, at most `withinMs`. */
async function settled(clock: Clock, done: () => boolean, withinMs: number): Promise<void> {
  const until = clock.now() + withinMs;
  while (!done() && clock.now() < until) {
    await new Promise<void>((resolve) => clock.after(20, resolve));
  }
}
