// Checks of each account on the network: the road to its upstream and issuer, whether its key is taken there, and, by
// what upstreams say the time is, this machine's clock.

import type { Account } from "../config/account.ts";
import { about, type Finding, type Patient, type Pen } from "./doctor-finding.ts";
import { type Arrived, travel, type Traveller } from "./doctor-road.ts";
import { duration } from "./units.ts";

const WITHIN_MS = 5_000;
const SKEW_WARN_MS = 60_000;
const SKEW_FAIL_MS = 300_000;

/** All accounts at once. */
export async function checkUpstreams(patient: Patient): Promise<readonly Finding[]> {
  const { config, io, tools } = patient;
  const traveller = { env: io.env, clock: tools.clock, withinMs: tools.withinMs ?? WITHIN_MS };
  const meant = config.accounts.filter(({ disabled }) => !disabled);
  const [accounts, issuers] = await Promise.all([
    Promise.all(meant.map((account) => checkUpstream(account, patient, traveller))),
    checkIssuers(meant, patient, traveller),
  ]);
  const found = accounts.map(({ finding }) => finding);
  return [...found, ...issuers, ...checkClock(accounts.flatMap(({ hour }) => hour ?? []))];
}

/** What an upstream says of the time. */
interface Hour {
  readonly host: string;
  readonly aheadMs: number;
}

interface Visit {
  readonly finding: Finding;
  readonly hour?: Hour | undefined;
}

async function checkUpstream(account: Account, { desk }: Patient, traveller: Traveller): Promise<Visit> {
  const { name, proxy, baseUrl } = account;
  const question = desk.question(name);
  const url = question?.url ?? baseUrl.replace(/^ws/, "http");
  const arrived = await travel({ url, proxy, ...(question && { headers: question.headers }) }, traveller);
  const pen = about("upstream", name);
  if ("message" in arrived) return { finding: pen.fail(arrived.message, arrived.advice) };
  const { host } = new URL(url);
  const { aheadMs } = arrived;
  const hour = aheadMs === undefined ? undefined : { host, aheadMs };
  return { finding: judge(arrived, host, { pen, account, isAsked: question !== undefined }), hour };
}

interface Judged {
  readonly pen: Pen;
  readonly account: Account;
  /** Whether it was shown a key. */
  readonly isAsked: boolean;
}

function judge({ status, isPage }: Arrived, host: string, { pen, account, isAsked }: Judged): Finding {
  if (status >= 500)
    return pen.warn(
      `${host} is reached, and is in trouble itself (${status})`,
      "see its status page, and try again later",
    );
  if (!isAsked) return pen.ok(`${host} is reached`);
  if (status >= 300 && status < 400)
    return pen.warn(
      `${host} sends elsewhere (${status}), where the gateway never follows`,
      "set base_url to the address it means in the end",
    );
  if (status === 403 && isPage)
    return pen.fail(
      `a page instead of the service answers at ${host} (403): a firewall on the way, or a country it does not serve`,
      "try another network, or give the account a proxy",
    );
  if (status === 401 || status === 403) {
    const key = account.type === "oauth" ? "oauth_token" : "api_key";
    return pen.fail(
      `${host} is reached, and refuses its ${key} (${status})`,
      `put a new ${key} into the config: this one is wrong, revoked, or another service's`,
    );
  }
  if (status < 300) return pen.ok(`${host} is reached, and takes its key`);
  return pen.ok(`${host} is reached (${status}: it has no list of models, so the key is not tried)`);
}

/** Where logins are renewed: each issuer by each way out once. */
async function checkIssuers(
  accounts: readonly Account[],
  { desk }: Patient,
  traveller: Traveller,
): Promise<readonly Finding[]> {
  const roads = new Map<string, Account>();
  for (const account of accounts) {
    const keepsLogin =
      account.platform === "openai" && account.type === "oauth" && desk.question(account.name) === undefined;
    if (keepsLogin) roads.set(JSON.stringify([account.oauthIssuer, account.proxy]), account);
  }
  return Promise.all(
    [...roads.values()].map(async ({ oauthIssuer, proxy, name }) => {
      const arrived = await travel({ url: oauthIssuer, proxy }, traveller);
      const pen = about("issuer", name);
      const { host } = new URL(oauthIssuer);
      return "message" in arrived
        ? pen.fail(arrived.message, arrived.advice.replaceAll("base_url", "oauth_issuer"))
        : pen.ok(`${host} is reached`);
    }),
  );
}

/** The upstream that agrees best is believed: one whose own clock is wrong says nothing about this machine's. */
function checkClock(hours: readonly Hour[]): readonly Finding[] {
  const [best] = hours.toSorted((a, b) => Math.abs(a.aheadMs) - Math.abs(b.aheadMs));
  if (best === undefined) return [];
  const { host, aheadMs } = best;
  const pen = about("clock", "this machine");
  const skew = Math.abs(aheadMs);
  if (skew <= SKEW_WARN_MS) return [pen.ok(`agrees with ${host}`)];
  const words = `is ${duration(skew)} ${aheadMs > 0 ? "ahead of" : "behind"} ${host}`;
  const advice = "set the clock: timedatectl set-ntp true, or your system's time settings";
  return [
    skew > SKEW_FAIL_MS
      ? pen.fail(`${words}: logins and limits end at the wrong time`, advice)
      : pen.warn(words, advice),
  ];
}
