// Raw requests over a socket: to the gateway, to haproxy and nginx before a recorder, and to both before the gateway. Behind
// a front the gateway never sees a request that the front has not passed on, nor another body; alone it takes no body that
// was not sent. Where they are of different minds about what a request is, that is counted, and has to be known.
import { Dice } from "./dice.ts";
import { FRONT_NAMES, type FrontName } from "./fronts.ts";
import { type Kind, KNOWN, type Known } from "./raw-known.ts";
import { type RawInput, rawInput } from "./raw-requests.ts";
import {
  QUIET_MS,
  type Stands,
  startStands,
  type StandName,
  type Surplus,
  type Verdict,
} from "./raw-stands.ts";
import { Wrong, type Bench, type Target } from "./target.ts";

export type Verdicts = Readonly<Partial<Record<StandName, Verdict>>>;

interface Disagreement {
  readonly kind: Kind;
  readonly front: FrontName;
  readonly what: string;
}

const JOBS = 24;

async function verdictsOn(stands: Stands, id: number, input: RawInput, quietMs: number): Promise<Verdicts> {
  const sent = stands.list.map(
    async (stand) => [stand.name, await stand.send(id, input.bytes, quietMs)] as const,
  );
  return Object.fromEntries(await Promise.all(sent));
}

function shown(verdicts: Verdicts): string {
  const one = ([name, { statuses, closed, passed }]: [string, Verdict]): string =>
    `${name} ${statuses.join("+") || "no answer"}${closed ? " closed" : ""}, ${passed.length} passed on`;
  return Object.entries(verdicts).map(one).join("; ");
}

const bodiesOf = (verdict: Verdict): string[] => verdict.passed.map(({ body }) => body);

/** What a front passes on that the recorder, which is strict, cannot read: then it is not known what that is. */
function isUnread(verdict: Verdict | undefined): boolean {
  return verdict === undefined || verdict.statuses.includes(502);
}

/** What must not be, whoever is in front. */
export function broken(input: RawInput, verdicts: Verdicts): string | undefined {
  const alone = verdicts.gateway === undefined ? [] : bodiesOf(verdicts.gateway);
  // A chunk may end in the line end behind the body.
  const other = alone.find((body) => !input.bodies.includes(body.trim()));
  if (other !== undefined) return `the gateway made a body of its own: ${JSON.stringify(other)}`;
  if (alone.length > input.bodies.length) return `the gateway made ${alone.length} requests`;
  for (const front of FRONT_NAMES) {
    const [before, behind] = [verdicts[front], verdicts[`${front}+gateway`]];
    if (before === undefined || behind === undefined || isUnread(before)) continue;
    const bodies = bodiesOf(before);
    for (const body of bodiesOf(behind)) {
      const at = bodies.indexOf(body);
      if (at < 0)
        return `behind ${front} the gateway saw what ${front} did not pass on: ${JSON.stringify(body)}`;
      bodies.splice(0, at + 1);
    }
  }
  return undefined;
}

/** The gateway alone beside the front alone. */
function disagreement(front: FrontName, verdicts: Verdicts): Kind | undefined {
  const [ours, theirs] = [verdicts.gateway, verdicts[front]];
  if (ours === undefined || theirs === undefined) return undefined;
  if (isUnread(theirs)) return "unread";
  const [taken, passed] = [bodiesOf(ours), bodiesOf(theirs)];
  const wanted = theirs.passed.filter(({ isConversation }) => isConversation).length;
  if (taken.length === 0) return wanted === 0 ? undefined : "strict";
  if (passed.length === 0) return takesToo(otherThan(front), taken, verdicts) ? "alone" : "lax";
  if (taken.length > passed.length) return "more";
  if (taken.length < wanted) return "fewer";
  return taken.every((body) => passed.includes(body)) ? undefined : "body";
}

function otherThan(front: FrontName): FrontName {
  return front === "nginx" ? "haproxy" : "nginx";
}

/** Whether this front passes on all that the gateway takes. */
function takesToo(front: FrontName, taken: readonly string[], verdicts: Verdicts): boolean {
  const before = verdicts[front];
  const theirs = isUnread(before) ? verdicts[`${front}+gateway`] : before;
  const passed = theirs === undefined ? [] : bodiesOf(theirs);
  return taken.every((body) => passed.includes(body));
}

function knownAs({ kind, front }: Disagreement, twists: readonly string[]): Known | undefined {
  return KNOWN.find(
    (known) =>
      known.kind === kind &&
      known.fronts.includes(front) &&
      (known.twists === undefined || known.twists.some((twist) => twists.includes(twist))),
  );
}

export function disagreements(verdicts: Verdicts, surplus: Surplus | undefined): Disagreement[] {
  const found = FRONT_NAMES.flatMap((front): Disagreement[] => {
    const kind = disagreement(front, verdicts);
    return kind === undefined ? [] : [{ kind, front, what: "" }];
  });
  if (surplus === undefined) return found;
  const { ids, asked, statuses } = surplus;
  const what = `${statuses.join("+")} for ${asked} requests with ${[...new Set(ids)].join()}`;
  return [...found, { kind: "surplus", front: surplus.front, what }];
}

class Table {
  readonly #counts = new Map<string, number>();
  inputs = 0;

  add({ kind, front }: Disagreement, known: Known, twists: readonly string[]): void {
    const by = known.twists?.find((twist) => twists.includes(twist)) ?? "any";
    const key = `${kind.padEnd(8)} ${front.padEnd(8)} ${by}: ${known.reason}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  lines(): string[] {
    const counts = [...this.#counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return counts.map(([key, count]) => `${String(count).padStart(7)} ${key}`);
  }
}

async function open(fronts: readonly FrontName[]): Promise<Bench> {
  const stands = await startStands(fronts);
  const table = new Table();
  let sent = 0;
  const look = async (seed: number, quietMs: number) => {
    const id = 1_000_000 + sent++;
    const input = rawInput(new Dice(seed), seed, id);
    const verdicts = await verdictsOn(stands, id, input, quietMs);
    const found = disagreements(verdicts, stands.surplus(id));
    return { input, verdicts, wrong: broken(input, verdicts), found };
  };
  return {
    jobs: JOBS,
    async play(seed) {
      let seen = await look(seed, QUIET_MS.first);
      const isNew = (): boolean => seen.found.some((each) => knownAs(each, seen.input.twists) === undefined);
      // Somebody may only have been slow.
      if (seen.wrong !== undefined || isNew()) seen = await look(seed, QUIET_MS.again);
      const { input, verdicts, wrong, found } = seen;
      const source = `${input.twists.join(", ")}: ${shown(verdicts)}: ${JSON.stringify(input.bytes.toString("latin1"))}`;
      if (wrong !== undefined) throw new Wrong(`${wrong}, ${source}`);
      for (const each of found) {
        const known = knownAs(each, input.twists);
        if (known === undefined) throw new Wrong(`${each.kind} beside ${each.front} ${each.what}, ${source}`);
        table.add(each, known, input.twists);
      }
    },
    report: () => [...stands.missing.map((name) => `${name} is not installed`), ...table.lines()],
    close: async () => stands[Symbol.asyncDispose](),
  };
}

export const raw: Target = { name: "raw", inputs: 20_000, short: 200, open: () => open(FRONT_NAMES) };
