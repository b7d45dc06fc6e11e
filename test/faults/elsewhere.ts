// Rows that are no exchange between a client and an upstream: tests of their own play them, in a process each.

export interface RowElsewhere {
  readonly number: number;
  readonly title: string;
  /** From the root of the repository. */
  readonly files: readonly string[];
  /** Which tests of the files; all unless said. */
  readonly named?: string;
}

const STORE = ["test/contracts/sqlite-writes.test.ts", "test/contracts/login-store.test.ts"];
const LOGIN = ["login", "login-paste", "login-command", "login-pages"];

export const ELSEWHERE: readonly RowElsewhere[] = [
  {
    number: 55,
    title: "killed at any moment of a renewal: no token a third time, losses told",
    files: ["test/scenarios/refresh.test.ts"],
    named: "is killed while it renews",
  },
  {
    number: 56,
    title: "killed while the database writes: sound, nothing acknowledged is lost",
    files: ["test/contracts/sqlite-kill.test.ts", "test/contracts/login-store-processes.test.ts"],
    named: "kill",
  },
  {
    number: 57,
    title: "disk full: requests go on, what waits is written later",
    files: STORE,
    named: "disk is full|full disk|disk full",
  },
  {
    number: 61,
    title: "two processes, one token that has run out: presented once",
    files: ["test/scenarios/refresh.test.ts"],
    named: "two gateways on one file",
  },
  {
    number: 63,
    title: "renewed, but saving fails: it serves, and is saved until that works",
    files: ["src/oauth/refresh-keep.test.ts"],
    named: "a new token that cannot be saved",
  },
  {
    number: 64,
    title: "a renewal whose client leaves, whose issuer is slow, broken or gone",
    files: ["test/scenarios/logins.test.ts", "src/oauth/refresh.test.ts", "src/oauth/token-endpoint.test.ts"],
  },
  {
    number: 69,
    title: "a thousand streams at once: all live at the same moment, all finish",
    files: ["test/scenarios/thousand-streams.test.ts"],
  },
  {
    number: 72,
    title: "abuse of the sign-in: replays, wrong states, too many, a busy port",
    files: LOGIN.map((name) => `test/http/${name}.test.ts`),
  },
];

export interface PlayedElsewhere {
  readonly cases: number;
  readonly failures: readonly { readonly case: string; readonly error: string }[];
}

/** Plays the row so many times. A case is one passed or failed test. */
export async function playElsewhere(row: RowElsewhere, times: number): Promise<PlayedElsewhere> {
  const only = row.named === undefined ? [] : ["-t", row.named];
  const child = Bun.spawn([process.execPath, "test", `--rerun-each=${times}`, ...only, ...row.files], {
    cwd: `${import.meta.dirname}/../..`,
    env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: "20000" },
    stdout: "ignore",
    stderr: "pipe",
  });
  const text = Bun.stripANSI(await new Response(child.stderr).text());
  await child.exited;
  const count = (what: string): number =>
    Number([...text.matchAll(new RegExp(`^\\s*(\\d+) ${what}s?$`, "gm"))].at(-1)?.[1] ?? 0);
  const failures = [...text.matchAll(/^\(fail\) (.*)$/gm)].map(([, name = ""]) => ({
    case: name,
    error: "",
  }));
  const passed = count("pass");
  if (failures.length === 0 && (child.exitCode !== 0 || passed === 0 || count("fail") > 0))
    failures.push({ case: row.files.join(" "), error: text.slice(-1_000) });
  return { cases: passed + count("fail"), failures };
}
