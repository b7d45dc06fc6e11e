import { describe, expect, test } from "bun:test";
import type { Json } from "../core/json.ts";
import type { Io } from "./io.ts";
import { ADDED, ANN, BOB, CODEX, codex, configOf, KEY, login, SITE, state, world } from "./test-import.ts";
import type { TestIo } from "./test-io.ts";

describe("Codex's login", () => {
  test("is adopted for a new account, which joins the config without any secret", async () => {
    const { io, config, kept, run, text, closed, known } = await world(KEY, { env: { HOME: "/home/ann" } });
    expect(await run("--adopt")).toBe(0);
    expect(kept).toEqual([{ name: "codex", login: login(), source: "import", follow: undefined }]);
    expect(await text()).toBe(configOf(`${KEY}${ADDED},\n`));
    expect([known(), closed()]).toEqual([["main", "codex"], 1]);
    expect(io.err()).toBe("");
    expect(io.out()).toContain(
      `codex is signed in as ann@example.com, workspace w1, plus, and added to ${config}.`,
    );
    expect(io.out()).toContain("Codex's own login stops working");
    expect(io.out()).toContain("`codex login`");
    expect(io.out()).toContain("/home/ann/.codex/auth.json");
  });

  test("is followed, by the path of its file", async () => {
    const { io, kept, run } = await world(CODEX, { env: { CODEX_HOME: "/srv/codex" } });
    expect(await run("codex", "--follow")).toBe(0);
    expect(kept).toMatchObject([{ name: "codex", source: "follow", follow: "/srv/codex/auth.json" }]);
    expect(io.out()).toContain("the gateway reads /srv/codex/auth.json and never renews");
    expect(io.out()).not.toContain("stops working");
  });

  test("is looked for where CODEX_HOME says, then in the home, or in the file that is named", async () => {
    const at = async (env: Io["env"], ...args: readonly string[]): Promise<readonly string[]> => {
      const { io, read, run } = await world(CODEX, { env });
      expect(await run(...args, "--adopt")).toBe(0);
      return read.map((path) => path.replace(io.cwd, "CWD"));
    };
    expect(await at({ CODEX_HOME: "/c", HOME: "/h" })).toEqual(["/c/auth.json"]);
    expect(await at({ CODEX_HOME: "", HOME: "/h" })).toEqual(["/h/.codex/auth.json"]);
    expect(await at({ CODEX_HOME: "rel" }, "codex")).toEqual(["CWD/rel/auth.json"]);
    expect(await at({ CODEX_HOME: "/c" }, "copy/auth.json")).toEqual(["CWD/copy/auth.json"]);
  });

  test("signs in an account that is there, and leaves the config as it is", async () => {
    const { run, kept, text } = await world(KEY + CODEX);
    expect(await run("--adopt")).toBe(0);
    expect(kept).toHaveLength(1);
    expect(await text()).toBe(configOf(KEY + CODEX));
  });

  test("joins a config that has no account yet", async () => {
    const { run, text } = await world("    // FILL IN\n");
    expect(await run("--adopt")).toBe(0);
    expect(await text()).toBe(configOf(`    // FILL IN\n${ADDED}\n`));
  });

  test("goes by the name it is given, read as it is written", async () => {
    const { run, kept, known, text } = await world(KEY);
    expect(await run("--follow", "--name", 'my "${X}"')).toBe(0);
    expect([kept[0]?.name, known()[1]]).toEqual(['my "${X}"', 'my "${X}"']);
    expect(await text()).toContain('{ "name": "my \\"$${X}\\"", "platform"');
  });

  test("of another client brings that client into the config", async () => {
    const site = {
      issuer: "https://issuer.example",
      clientId: "app_other",
      usual: { issuer: false, clientId: false },
    };
    const { run, text } = await world(KEY, { files: [codex({ site })] });
    expect(await run("--adopt")).toBe(0);
    expect(await text()).toContain('"client_id": "app_other", "oauth_issuer": "https://issuer.example" }');
  });

  test("of another client than the account's is not given to that account", async () => {
    const other = {
      issuer: "https://auth.openai.com",
      clientId: "app_other",
      usual: { issuer: true, clientId: false },
    };
    const elsewhere = { ...SITE, issuer: "https://issuer.example", usual: { issuer: false, clientId: true } };
    const set = '    { "name": "codex", "platform": "openai", "client_id": "app_other" },\n';
    const there =
      '    { "name": "codex", "platform": "openai", "type": "oauth", "oauth_issuer": "https://issuer.example/" },\n';
    const cases = [
      [CODEX, other, 1],
      [set, other, 0],
      [set, { ...other, issuer: "https://issuer.example" }, 1],
      [set, SITE, 1],
      [there, elsewhere, 0],
      [there, SITE, 1],
      [CODEX, elsewhere, 1],
    ] as const;
    for (const [accounts, site, code] of cases) {
      const { io, run, kept } = await world(accounts, { files: [codex({ site })] });
      expect([await run("--adopt"), kept.length]).toEqual([code, 1 - code]);
      expect(io.err().includes("signs in elsewhere")).toBe(code === 1);
    }
  });
});

describe("at a terminal", () => {
  test("it asks who renews, until there is an answer, and says what follows", async () => {
    for (const [answer, source] of [
      ["1", "import"],
      ["adopt", "import"],
      ["2", "follow"],
      ["follow", "follow"],
    ] as const) {
      const { io, kept, run } = await world(CODEX, { typed: ["what?", answer] });
      expect(await run()).toBe(0);
      expect(kept.map((each) => each.source)).toEqual([source]);
      expect(io.out()).toContain("a login that two renew is lost");
    }
  });

  test("it does nothing without an answer", async () => {
    const { io, kept, run, text } = await world(KEY, { typed: [] });
    expect(await run()).toBe(1);
    expect(io.err()).toContain("There was no answer");
    expect([kept, await text()]).toEqual([[], configOf(KEY)]);
  });

  test("the login that is kept is the one in the file after the answer", async () => {
    const tokens = { ...login().tokens, refresh: "CANARY-newer" };
    const { kept, run } = await world(CODEX, { typed: ["1"], files: [codex(), codex({ tokens })] });
    expect(await run()).toBe(0);
    expect(kept[0]?.login.tokens.refresh).toBe("CANARY-newer");
  });

  test("an account that is signed in gets another login only on a yes", async () => {
    for (const [answer, count] of [
      ["yes", 1],
      ["Y", 1],
      ["", 0],
      ["no", 0],
      ["yesterday", 0],
    ] as const) {
      const { io, kept, run } = await world(CODEX, { typed: [answer], signedIn: { codex: BOB } });
      expect([await run("--adopt"), kept.length]).toEqual([1 - count, count]);
      expect(io.out()).toContain("codex is signed in already: bob@example.com, workspace w2.");
      expect(io.out()).toContain("is of ann@example.com, workspace w1, plus.");
      expect(io.err()).toBe(count === 1 ? "" : "codex keeps the login it had.\n");
    }
  });
});

describe("without a terminal", () => {
  test("somebody has to have said who renews", async () => {
    for (const [file, words] of [
      [codex(), "import needs --adopt or --follow"],
      [state("codex"), "import needs --adopt:"],
    ] as const) {
      const { io, kept, run } = await world(CODEX, { files: [file] });
      expect([await run(), kept]).toEqual([2, []]);
      expect(io.err()).toContain(words);
      expect(io.err()).toContain("Usage: sub2api_simple import");
    }
  });

  test("an account that is signed in gets another login only with --replace", async () => {
    const { io, kept, run } = await world(CODEX, { signedIn: { codex: ANN } });
    expect([await run("--adopt"), kept]).toEqual([1, []]);
    expect(io.err()).toContain(
      "it is signed in already as ann@example.com, workspace w1, plus. --replace puts",
    );
    expect([await run("--adopt", "--replace"), kept.length]).toEqual([0, 1]);
  });
});

test("a person whom another account has already is not taken twice", async () => {
  const { io, kept, run, text } = await world(CODEX, { signedIn: { codex: ANN } });
  expect([await run("--adopt", "--name", "b", "--replace"), kept]).toEqual([1, []]);
  expect(io.err()).toContain("b was not imported: codex is signed in as ann@example.com");
  expect(await text()).toBe(configOf(CODEX));
  const others = await world(CODEX, { signedIn: { codex: { ...ANN, userId: "u9" } } });
  expect([await others.run("--adopt", "--name", "b"), others.kept.length]).toEqual([0, 1]);
});

describe("a token_state.json", () => {
  const A = CODEX.replace("codex", "a");
  const B = CODEX.replace("codex", "b");

  test("signs in the accounts that the config has", async () => {
    const { io, kept, run, text } = await world(A + KEY + B, { files: [state("a", "b", "gone", "main")] });
    expect(await run("token_state.json", "--adopt")).toBe(0);
    expect(kept.map(({ name, source, follow }) => [name, source, follow])).toEqual([
      ["a", "token_state", undefined],
      ["b", "token_state", undefined],
    ]);
    expect(await text()).toBe(configOf(A + KEY + B));
    expect(io.out()).toContain("a is signed in as somebody unknown.\nb is signed in as somebody unknown.\n");
    expect(io.out()).toContain("do not run the old program");
  });

  test("gives the one that is named, and adds its account", async () => {
    const { kept, run, text } = await world(KEY, { files: [state("a", "b")] });
    expect(await run("s.json", "--adopt", "--name", "b")).toBe(0);
    expect([kept.map(({ name }) => name), await text()]).toEqual([
      ["b"],
      configOf(`${KEY}${ADDED.replace("codex", "b")},\n`),
    ]);
  });

  test("with one login gives that, under its own name or another", async () => {
    for (const [args, name] of [
      [[], "a"],
      [["--name", "c"], "c"],
    ] as const) {
      const { kept, run } = await world(KEY, { files: [state("a")] });
      expect([await run("s.json", "--adopt", ...args), kept.map((each) => each.name)]).toEqual([0, [name]]);
    }
  });

  test("is taken at a terminal on a yes only", async () => {
    const said = await world(A, { files: [state("a")], typed: ["y"] });
    expect([await said.run("s.json"), said.kept.length]).toEqual([0, 1]);
    expect(said.io.out()).toContain("must not run with a any more");
    const unsaid = await world(A, { files: [state("a")], typed: [""] });
    expect([await unsaid.run("s.json"), unsaid.kept.length]).toEqual([1, 0]);
    expect(unsaid.io.err()).toBe("Nothing was imported.\n");
  });

  test("goes on with the others when one account is signed in already", async () => {
    const { io, kept, run } = await world(A + B, { files: [state("a", "b")], signedIn: { a: BOB } });
    expect([await run("s.json", "--adopt"), kept.map(({ name }) => name)]).toEqual([1, ["b"]]);
    expect(io.err()).toStartWith("a was not imported: it is signed in already");
    expect(io.out()).toStartWith("b is signed in");
  });

  test("is refused in words where it does not help", async () => {
    const cases = [
      [["--follow"], state("a"), 2, "cannot be followed"],
      [["--adopt"], state(), 1, "holds no login"],
      [
        ["--adopt"],
        state("x", "y\u001b[2J"),
        1,
        "has logins for x, y\ufffd[2J; none of these is an OpenAI account",
      ],
      [["--adopt", "--name", "z"], state("x", "y"), 1, 'has no login for "z"; it has: x, y'],
    ] as const;
    for (const [args, file, code, words] of cases) {
      const { io, kept, run } = await world(A, { files: [file] });
      expect([await run("s.json", ...args), kept]).toEqual([code, []]);
      expect(io.err()).toContain(words);
    }
  });
});

describe("nothing is imported, and the words say why,", () => {
  test("when the file cannot be read", async () => {
    const missing = Object.assign(new Error("there is no /h/.codex/auth.json"), { problem: "missing" });
    const usual = await world(CODEX, { files: [missing] });
    expect(await usual.run("--adopt")).toBe(1);
    expect(usual.io.err()).toStartWith(
      "There is no /h/.codex/auth.json.\nCodex writes it when somebody signs in",
    );
    const named = await world(CODEX, { files: [missing] });
    expect(await named.run("x.json", "--adopt")).toBe(1);
    expect(named.io.err()).toBe("There is no /h/.codex/auth.json.\n");
  });

  test("when what is asked for cannot be had of the login", async () => {
    const { tokens } = login();
    const cases = [
      ["--adopt", { ...tokens, refresh: undefined }, "holds no refresh token"],
      ["--follow", { ...tokens, access: "" }, "holds no access token"],
    ] as const;
    for (const [option, tokens, words] of cases) {
      const { io, kept, run } = await world(CODEX, { files: [codex({ tokens })] });
      expect([await run(option), kept]).toEqual([1, []]);
      expect(io.err()).toContain(words);
    }
  });

  test("when the account is of another kind", async () => {
    const fixed = '    { "name": "f", "platform": "openai", "oauth_token": "fixed-0123456789" },\n';
    const cases = [
      ["main", KEY, "does not sign in: only OpenAI accounts"],
      ["f", fixed, "has a fixed oauth_token"],
    ] as const;
    for (const [name, account, words] of cases) {
      const { io, kept, run } = await world(account);
      expect([await run("--adopt", "--name", name), kept]).toEqual([1, []]);
      expect(io.err()).toContain(words);
    }
  });

  test("when there is no config, or a bad one", async () => {
    const none = await world(undefined);
    expect(await none.run("--adopt")).toBe(2);
    expect(none.io.err()).toContain("There is no config at");
    expect(none.io.err()).toContain("sub2api_simple init");
    for (const account of ['    { "name": 1 },\n', "    {,\n", '    { "api_key": "${NOT_SET}" },\n']) {
      const { io, kept, run, text } = await world(account);
      expect([await run("--adopt"), kept, await text()]).toEqual([2, [], configOf(account)]);
      expect(io.err()).toMatch(/config\.json:\d+:\d+: /);
    }
  });

  test("when no account can have that name", async () => {
    for (const name of ["x".repeat(101), "a\u0007b"]) {
      const { io, kept, run, text } = await world(KEY);
      expect([await run("--adopt", "--name", name), kept, await text()]).toEqual([2, [], configOf(KEY)]);
      expect(io.err()).toContain("cannot be added to");
      expect(io.err()).not.toContain("\u0007");
    }
  });

  test("when the logins cannot be opened, or do not keep it", async () => {
    const open = await world(KEY, { failing: "open" });
    expect([await open.run("--adopt"), await open.text()]).toEqual([1, configOf(KEY)]);
    expect(open.io.err()).toBe("The logins cannot be opened: the database is busy\n");
    const keep = await world(KEY, { failing: "signIn" });
    expect([await keep.run("--adopt"), await keep.text(), keep.closed()]).toEqual([1, configOf(KEY), 1]);
    expect(keep.io.err()).toBe("codex was not imported: The disk is full.\n");
  });

  test("when the command line is wrong", async () => {
    for (const args of [["--adopt", "--follow"], ["--nope"], ["codex", "x"], ["--name="]]) {
      const { io, read, run } = await world(CODEX);
      expect([await run(...args), read]).toEqual([2, []]);
      expect(io.err()).toContain("Usage: sub2api_simple import");
    }
  });
});

test("a login stays kept when the config changes under the command, and the words say what to do by hand", async () => {
  const { io, config, kept, run, text } = await world(KEY, { typed: ["yes"], signedIn: { codex: BOB } });
  const theirs = configOf(`${KEY}    // theirs\n`);
  const { write } = io.stdout;
  io.stdout.write = (words: string) => {
    if (words.includes("Put it in its place?"))
      Bun.spawnSync(["cp", "/dev/stdin", config], { stdin: Buffer.from(theirs) });
    return write(words);
  };
  expect([await run("--adopt"), kept.length, await text()]).toEqual([1, 1, theirs]);
  expect(io.err()).toContain("it has been changed meanwhile; try again. The login is kept; add the account");
  expect(io.out()).not.toContain("added to");
});

describe("for programs", () => {
  const json = (io: TestIo): Json => {
    expect(io.out()).toMatch(/^[^\n]+\n$/);
    return JSON.parse(io.out());
  };

  test("one line says what was imported, and questions go beside it", async () => {
    const { io, config, run } = await world(KEY, { typed: ["2"], env: { CODEX_HOME: "/c" } });
    expect(await run("--json")).toBe(0);
    expect(json(io)).toEqual({
      file: "/c/auth.json",
      config,
      imported: [
        {
          account: "codex",
          added: true,
          custody: "follow",
          email: "ann@example.com",
          account_id: "w1",
          plan: "plus",
          expires_at: 1_800_000_000_000,
        },
      ],
      faults: [],
    });
    expect(io.err()).toContain("1 or 2:");
  });

  test("one line says what went wrong", async () => {
    const { io, run } = await world(CODEX, {
      files: [new Error("x is not JSON")],
      env: { CODEX_HOME: "/c" },
    });
    expect(await run("--json", "--adopt")).toBe(1);
    expect(json(io)).toMatchObject({ imported: [], faults: ["X is not JSON."] });
    expect(io.err()).toBe("X is not JSON.\n");
    const half = await world(CODEX, { signedIn: { codex: ANN } });
    expect(await half.run("--json", "--adopt")).toBe(1);
    expect(json(half.io)).toMatchObject({ imported: [], faults: [expect.stringContaining("--replace")] });
  });
});

test("--help says what it does", async () => {
  const { io, read, run } = await world(undefined);
  expect([await run("--help"), read]).toEqual([0, []]);
  expect(io.out()).toContain("--follow");
});
