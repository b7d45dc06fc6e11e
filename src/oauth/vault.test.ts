import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoginStore, SealedLogin } from "../core/login.ts";
import type { LogLine } from "../core/ports.ts";
import { memoryLoginStore } from "../../test/scenarios/refresh-rig.test.ts";
import { VirtualClock } from "../../test/support/virtual-clock.ts";
import { rotateKey } from "./vault-rotate.ts";
import { openVault, type Vault } from "./vault.ts";

const TEXT = '{"tokens":{"access":"secret"}}';
const PLACE = { account: "a", version: 1 };
const [ONE, TWO] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "vault-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function keyFile(): string {
  return join(dataDir, "master.key");
}

function open(env: Record<string, string> = {}, log?: (line: LogLine) => void): Vault {
  return openVault({ dataDir, env, ...(log === undefined ? {} : { log }) });
}

function sealed(vault: Vault, account: string, version: number, text = TEXT): SealedLogin {
  return { account, version, sealed: vault.seal({ account, version }, text, true) };
}

describe("a sealed login", () => {
  test("opens for its account and version only, and never looks the same", () => {
    const vault = open();
    const login = sealed(vault, "a", 1);
    expect(vault.open(login)).toBe(TEXT);
    expect(sealed(vault, "a", 1).sealed).not.toBe(login.sealed);
    expect(login.sealed).not.toContain("secret");
    for (const other of [{ account: "b" }, { version: 2 }, { account: "a\0" }])
      expect(() => vault.open({ ...login, ...other })).toThrow("belongs to another account or version");
  });

  test("does not open when any part of it was changed", () => {
    const vault = open();
    const login = sealed(vault, "a", 1);
    for (let at = 0; at < login.sealed.length; at++) {
      const other = login.sealed[at] === "b" ? "c" : "b";
      const broken = login.sealed.slice(0, at) + other + login.sealed.slice(at + 1);
      // The last character of base64url has bits that mean nothing.
      if (at < login.sealed.length - 1) expect(() => vault.open({ ...login, sealed: broken })).toThrow();
    }
    for (const text of ["", "v1", TEXT, login.sealed.slice(0, 40)])
      expect(() => vault.open({ ...login, sealed: text })).toThrow("damaged");
  });
});

describe("the master key", () => {
  test("is made when something is first sealed, for its owner alone whatever the umask, and kept", () => {
    const before = process.umask(0);
    try {
      const vault = open();
      expect(() => vault.open({ account: "a", version: 1, sealed: "v1.x" })).toThrow();
      expect(existsSync(keyFile())).toBe(false);
      const login = sealed(vault, "a", 1);
      expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
      expect(readdirSync(dataDir)).toEqual(["master.key"]);
      expect(open().open(login)).toBe(TEXT);
    } finally {
      process.umask(before);
    }
  });

  test("that is missing is named, and not replaced by looking", () => {
    const login = sealed(open(), "a", 1);
    renameSync(keyFile(), join(dataDir, "elsewhere"));
    expect(() => open().open(login)).toThrow(/sealed with another master key \([0-9a-f]{16}\).*master\.key/);
    expect(existsSync(keyFile())).toBe(false);
  });

  test("that vanishes is used from memory, and that is said once; no other one is made", () => {
    const lines: LogLine[] = [];
    const vault = open({}, (line) => void lines.push(line));
    const login = sealed(vault, "a", 1);
    expect(vault.open(login)).toBe(TEXT);
    renameSync(keyFile(), join(dataDir, "elsewhere"));
    const next = [2, 3].map((version) => sealed(vault, "a", version));
    expect([existsSync(keyFile()), vault.open(login)]).toEqual([false, TEXT]);
    expect(lines).toMatchObject([
      { level: "error", event: "master-key-missing", fields: { path: keyFile() } },
    ]);
    renameSync(join(dataDir, "elsewhere"), keyFile());
    expect(next.map((each) => open().open(each))).toEqual([TEXT, TEXT]);
  });

  test("that is missing is not made anew where logins are sealed already, and the words say what to do", () => {
    expect(() => open().seal(PLACE, TEXT, false)).toThrow(/is missing.*backup.*sign every account in anew/);
    expect(existsSync(keyFile())).toBe(false);
  });

  test("that others could read is closed to them, and said", () => {
    const login = sealed(open(), "a", 1);
    chmodSync(keyFile(), 0o644);
    const lines: LogLine[] = [];
    expect(open({}, (line) => void lines.push(line)).open(login)).toBe(TEXT);
    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
    expect(lines).toMatchObject([{ level: "warn", event: "mode-narrowed", fields: { mode: "0644" } }]);
  });

  test("is not looked for behind a link, in a folder, or in what is no key", () => {
    const bad: [string, () => void, string][] = [
      ["a link", () => symlinkSync("/etc/hostname", keyFile()), "is a link"],
      ["a folder", () => mkdirSync(keyFile()), "not a plain small file"],
      ["too short", () => writeFileSync(keyFile(), "c2hvcnQ="), "holds no master key"],
      ["empty", () => writeFileSync(keyFile(), ""), "holds no master key"],
    ];
    for (const [, make, words] of bad) {
      make();
      expect(() => open().seal(PLACE, TEXT, true)).toThrow(words);
      rmSync(keyFile(), { recursive: true });
    }
  });

  test("comes from the environment first, then from systemd, and no file is made then", () => {
    const folder = join(dataDir, "credentials");
    mkdirSync(folder);
    writeFileSync(join(folder, "master_key"), `${TWO.toString("hex")}\n`);
    const env = { CREDENTIALS_DIRECTORY: folder };
    const byEnv = sealed(open({ ...env, SUB2API_MASTER_KEY: ONE.toString("base64") }), "a", 1);
    const bySystemd = sealed(open(env), "a", 1);
    expect(open({ SUB2API_MASTER_KEY: ONE.toString("hex") }).open(byEnv)).toBe(TEXT);
    expect(open({ SUB2API_MASTER_KEY: TWO.toString("base64") }).open(bySystemd)).toBe(TEXT);
    expect(() => open(env).open(byEnv)).toThrow("another master key");
    expect(existsSync(keyFile())).toBe(false);
    const bad = "not a key, but secret";
    expect(() => open({ SUB2API_MASTER_KEY: bad }).seal(PLACE, TEXT, true)).toThrow(
      /^SUB2API_MASTER_KEY holds no/,
    );
  });
});

describe("changing the master key", () => {
  let store: LoginStore;
  let vault: Vault;
  beforeEach(async () => {
    store = memoryLoginStore(new VirtualClock());
    vault = open();
    for (const account of ["a", "b", "c"]) await store.commit(sealed(vault, account, 1, account));
  });

  async function texts(by: Vault): Promise<string[]> {
    const logins = await Promise.all(["a", "b", "c"].map((account) => store.load(account)));
    return logins.map((login) => (login === undefined ? "" : by.open(login)));
  }

  test("seals every login anew and forgets the old key, also for a process that goes on", async () => {
    const old = readFileSync(keyFile(), "utf8").trim();
    expect(await rotateKey({ dataDir, env: {}, store })).toEqual({ logins: 3, key: keyFile() });
    const now = readFileSync(keyFile(), "utf8").trim();
    expect([now.includes(old), now.split("\n").length]).toEqual([false, 1]);
    expect(await texts(open())).toEqual(["a", "b", "c"]);
    expect(await texts(vault)).toEqual(["a", "b", "c"]);
    expect(open().open(sealed(vault, "d", 1))).toBe(TEXT);
    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
  });

  test("loses nothing wherever it is cut off, and can be run again", async () => {
    for (const left of [0, 1, 1]) {
      let commits = 0;
      const cut: LoginStore = {
        ...store,
        commit: (login) => (commits++ < left ? store.commit(login) : Promise.reject(new Error("cut"))),
      };
      await expect(rotateKey({ dataDir, env: {}, store: cut })).rejects.toThrow("cut");
      expect(await texts(open())).toEqual(["a", "b", "c"]);
      expect(await texts(vault)).toEqual(["a", "b", "c"]);
    }
    expect(readFileSync(keyFile(), "utf8").trim().split("\n")).toHaveLength(2);
    await rotateKey({ dataDir, env: {}, store });
    expect(readFileSync(keyFile(), "utf8").trim().split("\n")).toHaveLength(1);
    expect(await texts(open())).toEqual(["a", "b", "c"]);
  });

  test("keeps what a process saves while it runs", async () => {
    let isFirst = true;
    const busy: LoginStore = {
      ...store,
      async commit(login) {
        if (isFirst) {
          isFirst = false;
          await store.commit(sealed(vault, login.account, login.version, "newer"));
        }
        return store.commit(login);
      },
    };
    await rotateKey({ dataDir, env: {}, store: busy });
    expect(await texts(open())).toEqual(["newer", "b", "c"]);
  });

  test("begins with nothing when a login is sealed with a key that is not there, or when it is under way", async () => {
    const before = readFileSync(keyFile(), "utf8");
    await store.claim(":master-key", "another", 60_000);
    await expect(rotateKey({ dataDir, env: {}, store })).rejects.toThrow("being changed at this moment");
    await store.renounce(":master-key", "another");
    await store.commit(sealed(open({ SUB2API_MASTER_KEY: ONE.toString("hex") }), "d", 1));
    await expect(rotateKey({ dataDir, env: {}, store })).rejects.toThrow(
      "the login of d was sealed with another",
    );
    expect(readFileSync(keyFile(), "utf8")).toBe(before);
  });

  test("needs the operator where the key is given, and then seals with the first of several", async () => {
    const env = { SUB2API_MASTER_KEY: ONE.toString("hex") };
    const given = memoryLoginStore(new VirtualClock());
    await given.commit(sealed(open(env), "a", 1));
    await expect(rotateKey({ dataDir, env, store: given })).rejects.toThrow("given by SUB2API_MASTER_KEY");
    const both = { SUB2API_MASTER_KEY: `${TWO.toString("hex")},${ONE.toString("hex")}` };
    expect(await rotateKey({ dataDir, env: both, store: given })).toEqual({
      logins: 1,
      key: "SUB2API_MASTER_KEY",
    });
    const login = await given.load("a");
    expect(login && open({ SUB2API_MASTER_KEY: TWO.toString("hex") }).open(login)).toBe(TEXT);
  });
});
