import { expect, test } from "bun:test";
import type { Io } from "./io.ts";
import { createLoginCommand, type LoginDesk, type LoginTools } from "./login.ts";
import { testIo, type TestIo } from "./test-io.ts";

const WHO = { email: "one@example.test", accountId: "workspace-1", userId: "user-1", plan: "plus" };
const OTHER = { ...WHO, email: "two@example.test" };
const SIGNED_IN = { kind: "signed-in", identity: WHO } as const;
const URL_SHOWN = "https://issuer.example/oauth/authorize?state=x";

type End = Awaited<ReturnType<LoginDesk["device"]>>;

interface Told {
  readonly opened: string[];
  readonly begun: string[];
  readonly pasted: string[];
  readonly answers: boolean[];
  closed: boolean;
}

interface Made {
  readonly run: (args: string[]) => Promise<number>;
  readonly io: TestIo;
  readonly told: Told;
}

/** A command whose sign-ins end as told. */
async function made(end: End, answers?: readonly string[], tools: Partial<LoginTools> = {}): Promise<Made> {
  const told: Told = { opened: [], begun: [], pasted: [], answers: [], closed: false };
  const confirm = async (yes: boolean): Promise<Exclude<End, { kind: "question" }>> => {
    told.answers.push(yes);
    return yes ? { kind: "signed-in", identity: OTHER } : { kind: "kept" };
  };
  const step = end.kind === "question" ? { ...end, confirm } : end;
  const desk: LoginDesk = {
    account: (name) => (name === "mine" ? "known" : name === "key" ? "keeps-no-login" : "unknown"),
    async begin(name, mode) {
      told.begun.push(`${name} ${mode}`);
      return {
        url: URL_SHOWN,
        ended: mode === "paste" || step.kind === "question" ? new Promise(() => {}) : Promise.resolve(step),
        async paste(text) {
          told.pasted.push(text);
          if (text === "bad") return { kind: "stray", why: "unreadable" };
          return text === "foreign" ? { kind: "stray", why: "unknown" } : step;
        },
        confirm,
      };
    },
    async device(name, onCode) {
      told.begun.push(`${name} device`);
      onCode({ url: "https://issuer.example/device", userCode: "ABCD-1234", expiresAt: 0 });
      return step;
    },
    async close() {
      told.closed = true;
    },
  };
  const io = await testIo({}, answers);
  const command = createLoginCommand({
    open: async () => desk,
    browse: async (url) => {
      told.opened.push(url);
      return true;
    },
    ...tools,
  });
  return { run: (args) => command(args, io), io, told };
}

test("prints the address, opens the browser, waits, and says who is signed in", async () => {
  const { run, io, told } = await made(SIGNED_IN);
  expect(await run(["mine"])).toBe(0);
  expect(told).toMatchObject({ opened: [URL_SHOWN], begun: ["mine browser"], closed: true });
  expect(io.out()).toContain(URL_SHOWN);
  expect(io.out()).toContain("mine is signed in: one@example.test, workspace workspace-1, plus.");
  expect(io.err()).toBe("");
});

test("--no-browser opens none, and so does a program in a pipe", async () => {
  const silent = await made(SIGNED_IN);
  expect(await silent.run(["mine", "--no-browser"])).toBe(0);
  expect(silent.told.opened).toEqual([]);
  const failing = await made(SIGNED_IN, undefined, { browse: async () => false });
  expect(await failing.run(["mine"])).toBe(0);
  expect(failing.io.out()).toContain("No browser could be opened");
});

test("--device shows where the code is typed, and the code", async () => {
  const { run, io, told } = await made(SIGNED_IN);
  expect(await run(["mine", "--device"])).toBe(0);
  expect(told.begun).toEqual(["mine device"]);
  for (const words of ["https://issuer.example/device", "ABCD-1234"]) expect(io.out()).toContain(words);
});

test("--paste reads the address, asks again for a wrong one, and does not show it", async () => {
  const { run, io, told } = await made(SIGNED_IN, ["bad", "foreign", "http://localhost/?code=hidden"]);
  expect(await run(["mine", "--paste"])).toBe(0);
  expect(told.pasted).toEqual(["bad", "foreign", "http://localhost/?code=hidden"]);
  expect(told.opened).toEqual([]);
  expect(io.out()).toContain("has to hold code=");
  expect(io.out()).toContain("belongs to another sign-in");
  expect(io.out() + io.err()).not.toContain("hidden");
});

test("--paste without an answer exits 1", async () => {
  for (const answers of [undefined, []]) {
    const { run, io } = await made(SIGNED_IN, answers);
    expect(await run(["mine", "--paste"])).toBe(1);
    expect(io.err()).toContain("no address was pasted");
  }
});

test("another identity is asked about; only yes takes it", async () => {
  const question = { kind: "question", had: WHO, got: OTHER, confirm: async () => SIGNED_IN } as const;
  for (const [answer, exit] of [
    ["yes", 0],
    ["Y", 0],
    ["no", 1],
    ["", 1],
    ["yesterday", 1],
  ] as const)
    for (const way of ["--device", "--paste"]) {
      const lines = way === "--paste" ? ["http://localhost/?code=x&state=y", answer] : [answer];
      const { run, io, told } = await made(question, lines);
      expect([answer, way, await run(["mine", way])]).toEqual([answer, way, exit]);
      expect(told.answers).toEqual([exit === 0]);
      expect(io.out()).toContain("mine was one@example.test");
      expect(io.out()).toContain("signed in as two@example.test");
    }
  const unasked = await made(question);
  expect(await unasked.run(["mine", "--device"])).toBe(1);
  expect(unasked.told.answers).toEqual([false]);
});

test("each way to fail has its words and exits 1", async () => {
  const cases = [
    [{ kind: "failed", reason: "port 1455 is in use" }, "port 1455 is in use"],
    [{ kind: "failed", reason: "it was not kept", detail: "the disk" }, "it was not kept: the disk"],
    [{ kind: "expired" }, "nobody signed in within 10 minutes"],
    [{ kind: "kept" }, "the login it had stays"],
    [{ kind: "denied", error: "access_denied", description: undefined }, "did not grant it (access_denied)"],
    [
      { kind: "denied", error: "a\u001b[2J", description: "b\r\n\u202e" },
      "(a\ufffd[2J: b\ufffd\ufffd\ufffd)",
    ],
  ] as const;
  for (const [end, words] of cases) {
    const { run, io, told } = await made(end);
    expect(await run(["mine"])).toBe(1);
    expect(io.err()).toContain("mine was not signed in");
    expect(io.err()).toContain(words);
    expect(told.closed).toBe(true);
  }
});

test("--json puts one line for programs on stdout and the words beside it", async () => {
  const good = await made(SIGNED_IN);
  expect(await good.run(["mine", "--json"])).toBe(0);
  expect(JSON.parse(good.io.out())).toEqual({
    account: "mine",
    signed_in: true,
    email: "one@example.test",
    account_id: "workspace-1",
    plan: "plus",
  });
  expect(good.io.err()).toContain(URL_SHOWN);
  const bad = await made({ kind: "failed", reason: "it rains" });
  expect(await bad.run(["mine", "--json", "--device"])).toBe(1);
  expect(JSON.parse(bad.io.out())).toEqual({ account: "mine", signed_in: false, reason: "it rains" });
});

test("unknown accounts, accounts without a login, bad configs and wrong usage exit 2", async () => {
  for (const [args, words] of [
    [["nobody"], 'no account named "nobody"'],
    [["key"], "does not sign in"],
    [[], "needs the NAME"],
    [["mine", "other"], 'unexpected "other"'],
    [["mine", "--device", "--paste"], "exclude each other"],
    [["mine", "--nope"], "Usage:"],
  ] as const) {
    const { run, io, told } = await made(SIGNED_IN);
    expect([args, await run([...args])]).toEqual([args, 2]);
    expect(io.err()).toContain(words);
    expect(told.begun).toEqual([]);
  }
  const { run, io } = await made(SIGNED_IN, undefined, {
    open: async () => ({ problems: "it is broken\n" }),
  });
  expect(await run(["mine"])).toBe(2);
  expect(io.err()).toBe("it is broken\n");
});

test("logins that cannot be opened are told in a line, for people and for programs, and exit 1", async () => {
  const open = (): Promise<LoginDesk> => Promise.reject(new Error("the database is damaged\u001b[2J"));
  const people = await made(SIGNED_IN, undefined, { open });
  expect(await people.run(["mine"])).toBe(1);
  expect(people.io.err()).toBe(
    "mine was not signed in: the logins cannot be opened: the database is damaged\ufffd[2J.\n",
  );
  const program = await made(SIGNED_IN, undefined, { open });
  expect(await program.run(["mine", "--json"])).toBe(1);
  expect(JSON.parse(program.io.out())).toMatchObject({ account: "mine", signed_in: false });
});

test("the config is looked for where the command runs; --help exits 0", async () => {
  const seen: string[] = [];
  const open = async (path: string, env: Io["env"]): Promise<{ problems: string }> => {
    seen.push(path);
    return { problems: env["HOME"] ?? "" };
  };
  const { run, io } = await made(SIGNED_IN, undefined, { open });
  await run(["mine", "-config", "x.json"]);
  expect(seen).toEqual([`${io.cwd}/x.json`]);
  expect(await run(["--help"])).toBe(0);
  expect(io.out()).toContain("Usage: sub2api_simple login NAME");
});
