// Plays the rows: each case on its own, a few at a time, and reports every case that does not hold.
import { EVERY_CASE, stagesOf, type Case, type Row } from "./row.ts";

export interface CaseFailure {
  readonly each: Case;
  readonly error: string;
}

export interface RowResult {
  readonly number: number;
  readonly title: string;
  readonly cases: number;
  readonly ok: boolean;
  readonly tookMs: number;
  readonly failures: readonly CaseFailure[];
}

/** Most cases wait for a timeout; more at once would make two cores late. */
const AT_ONCE = 4;

export async function runRow(row: Row): Promise<RowResult> {
  const startedAt = performance.now();
  const cases = row.cases ?? EVERY_CASE;
  const failures: CaseFailure[] = [];
  const waiting = [...cases];
  const work = async (): Promise<void> => {
    for (let each = waiting.shift(); each !== undefined; each = waiting.shift()) {
      const error = await runCase(row, each);
      if (error !== undefined) failures.push({ each, error });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const { number, title } = row;
  const tookMs = performance.now() - startedAt;
  return {
    number,
    title,
    cases: cases.length,
    ok: cases.length > 0 && failures.length === 0,
    tookMs,
    failures,
  };
}

async function runCase(row: Row, listed: Case): Promise<string | undefined> {
  const each = { ...listed };
  try {
    await row.run(each);
  } catch (error) {
    return textOf(error);
  }
  return stagesOf(each) > 0 ? undefined : "the case asked nothing of any gateway";
}

export function nameOf({ client, upstream, stream }: Case): string {
  const path = client === upstream ? client : `${client} over ${upstream}`;
  return `${path}, ${stream ? "streaming" : "not streaming"}`;
}

function textOf(error: unknown): string {
  // Thrown when a case fails and its stage is not in order either.
  if (error instanceof SuppressedError) return `${textOf(error.suppressed)}\nand then ${textOf(error.error)}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
