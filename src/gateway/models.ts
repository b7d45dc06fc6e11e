// Which models the pool can serve. Accounts that name theirs are believed; those open to a whole family are
// asked, briefly and now and then, since only their provider knows.

import { type Access, type Account, matchesAny, upstreamModel } from "../core/account.ts";
import type { ClientKey } from "../core/exchange.ts";
import { arrayAt, parseObject, stringAt } from "../core/json.ts";
import type { Clock, UpstreamRequest } from "../core/ports.ts";
import { fetchThrough } from "../core/proxy.ts";
import type { Deps } from "./deps.ts";

const FRESH_MS = 600_000;
/** Claude Code waits 3 s for the whole list. */
const ASK_MS = 2_000;
/** A failed question is not asked again for this long. */
const RETRY_MS = 60_000;
const MAX_BODY = 4 << 20;

interface Known {
  readonly names: readonly string[];
  readonly until: number;
  /** A question under way, for everybody who asks meanwhile. */
  asking: Promise<readonly string[]> | undefined;
}

type ModelDeps = Pick<Deps, "settings" | "clock" | "providers" | "logins">;
export type ModelList = (key: ClientKey) => Promise<readonly string[]>;

/** Names a client may ask for: aliases, mapped names, declared models, and what open accounts say they have. */
export function createModelList(deps: ModelDeps, accounts: () => readonly Account[]): ModelList {
  const known = new Map<string, Known>();
  return async (key) => {
    const current = accounts().filter((account) => !account.disabled && account.credential !== undefined);
    for (const name of known.keys())
      if (!current.some((account) => account.name === name)) known.delete(name);
    const lists = await Promise.all(current.map((account) => namesOf(deps, account, known)));
    const names = new Set([...Object.keys(deps.settings().aliases), ...lists.flat()]);
    return [...names].filter((name) => key.models === undefined || matchesAny(key.models, name)).toSorted();
  };
}

async function namesOf(
  deps: ModelDeps,
  account: Account,
  known: Map<string, Known>,
): Promise<readonly string[]> {
  const mapped = Object.keys(account.modelMap);
  const declared = account.models?.filter((name) => !name.includes("*")) ?? [];
  const open = account.models === undefined || account.models.length > declared.length;
  if (!open) return [...mapped, ...declared];
  const names = await listOf(deps, account, known);
  const protocol = account.apis[0] ?? "chat";
  const offered = names.filter((name) => upstreamModel(account, name, protocol) !== undefined);
  return [...mapped, ...declared, ...offered];
}

function listOf(deps: ModelDeps, account: Account, known: Map<string, Known>): Promise<readonly string[]> {
  const { name } = account;
  const list = known.get(name) ?? { names: [], until: Number.NEGATIVE_INFINITY, asking: undefined };
  if (list.until > deps.clock.now()) return Promise.resolve(list.names);
  known.set(name, list);
  list.asking ??= asked(deps, account).then((told) => {
    const until = deps.clock.now() + (told === undefined ? RETRY_MS : FRESH_MS);
    const names = told ?? list.names;
    // An account that has gone meanwhile, or has begun anew, keeps what it has.
    if (known.get(name) === list) known.set(name, { names, until, asking: undefined });
    return names;
  });
  return list.asking;
}

/** The account's own list; undefined when it cannot be had. Says nothing about the account's health. */
async function asked(deps: ModelDeps, account: Account): Promise<readonly string[] | undefined> {
  const access = accessOf(deps, account);
  const request = access && deps.providers[account.provider]?.models(account, access);
  if (request === undefined) return undefined;
  try {
    const body = await fetched(request, account, deps.clock);
    const answer = parseObject(body);
    const list = arrayAt(answer, "data") ?? arrayAt(answer, "models");
    return list?.flatMap((each) => stringAt(each, "id") ?? stringAt(each, "slug") ?? []);
  } catch {
    return undefined;
  }
}

/** A renewal is not waited for: the list is wanted at once. */
function accessOf({ logins }: ModelDeps, account: Account): Access | undefined {
  const { credential } = account;
  if (credential?.kind !== "login") return credential;
  const access = logins.access(account);
  return access instanceof Promise ? undefined : access;
}

async function fetched(
  request: Omit<UpstreamRequest, "body">,
  account: Account,
  clock: Clock,
): Promise<string> {
  const abort = new AbortController();
  const stop = clock.after(ASK_MS, () => abort.abort());
  try {
    const { headers } = request;
    const init = { headers, redirect: "manual", signal: abort.signal } as const;
    const response = await fetchThrough(account.proxy, request.url, init);
    if (!response.ok) throw new Error(`status ${response.status}`);
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MAX_BODY) throw new Error("too large");
    }
    return text + decoder.decode();
  } finally {
    stop();
  }
}
