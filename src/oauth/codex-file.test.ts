import { describe, expect, test } from "bun:test";
import { chmod, mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UnsecuredJWT } from "jose";
import { type CodexLogin, readCodexFile } from "./codex-file.ts";
import { LoginFileError } from "./foreign-file.ts";
import { readLoginFile } from "./login-file.ts";

const AUTH = "https://api.openai.com/auth";
const ID = new UnsecuredJWT({
  email: "a@example.com",
  [AUTH]: { chatgpt_account_id: "w1", chatgpt_user_id: "u1", chatgpt_plan_type: "plus" },
}).encode();
const ACCESS = new UnsecuredJWT({ exp: 1_800_000_000, [AUTH]: { chatgpt_account_id: "w1" } }).encode();
const OLD = {
  OPENAI_API_KEY: null,
  tokens: { id_token: ID, access_token: ACCESS, refresh_token: "CANARY-refresh", account_id: "w1" },
  last_refresh: "2026-10-01T10:00:00.123456789Z",
};
const USUAL = { issuer: "https://auth.openai.com", clientId: "app_EMoamEEZ73f0CkXaXp7hrann" };
const WHOLE: CodexLogin = {
  tokens: { access: ACCESS, refresh: "CANARY-refresh", expiresAt: 1_800_000_000_000 },
  identity: { accountId: "w1", userId: "u1", email: "a@example.com", plan: "plus" },
  ...USUAL,
};

async function file(content: unknown): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "codex-")), "auth.json");
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content, null, 2));
  return path;
}

async function login(content: unknown): Promise<CodexLogin> {
  return readCodexFile(await file(content));
}

async function refusal(path: string): Promise<LoginFileError> {
  const error: unknown = await readCodexFile(path).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof LoginFileError)) throw new Error(`not refused: ${String(error)}`);
  expect(error.message).not.toContain("CANARY");
  expect(error.path).toBe(path);
  return error;
}

describe("a login is read", () => {
  test("as older versions of Codex keep it", async () => {
    expect(await login(OLD)).toEqual(WHOLE);
  });

  test("as newer ones do, with the issuer and client it was made for", async () => {
    const oauth_provenance = { issuer: "https://issuer.example/", client_id: "app_other" };
    const tokens = { ...OLD.tokens, oauth_provenance, login_owner_id: "o1" };
    expect(await login({ auth_mode: "chatgpt", ...OLD, tokens })).toEqual({
      ...WHOLE,
      issuer: "https://issuer.example",
      clientId: "app_other",
    });
  });

  test("when the newer fields hold something else than they should", async () => {
    const odd = [null, "x", { issuer: 1, client_id: "" }, {}];
    for (const oauth_provenance of odd)
      expect(await login({ ...OLD, tokens: { ...OLD.tokens, oauth_provenance } })).toEqual(WHOLE);
  });

  test("without an id token, from what the access token says", async () => {
    const { id_token: _, account_id: __, ...tokens } = OLD.tokens;
    expect((await login({ tokens })).identity).toEqual({
      accountId: "w1",
      userId: undefined,
      email: undefined,
      plan: undefined,
    });
  });

  test("with the workspace that Codex sends, whatever the tokens say", async () => {
    const tokens = { ...OLD.tokens, account_id: "w2" };
    expect((await login({ ...OLD, tokens })).identity.accountId).toBe("w2");
  });

  test("with an access token that does not say when it ends", async () => {
    const tokens = { access_token: " opaque\n", refresh_token: "" };
    expect((await login({ tokens })).tokens).toEqual({
      access: "opaque",
      refresh: undefined,
      expiresAt: 0,
    });
  });

  test("with a refresh token alone", async () => {
    const tokens = { refresh_token: "r" };
    expect((await login({ tokens })).tokens).toEqual({ access: "", refresh: "r", expiresAt: 0 });
  });

  test("beside an API key, and behind a mark of an editor", async () => {
    expect(await login(`\uFEFF${JSON.stringify({ ...OLD, OPENAI_API_KEY: "sk-1" })}`)).toEqual(WHOLE);
  });

  test("through a link", async () => {
    const path = await file(OLD);
    await symlink(path, `${path}.link`);
    expect(await readCodexFile(`${path}.link`)).toEqual(WHOLE);
  });
});

describe("no login is read, and the words say why,", () => {
  test("where there is no file", async () => {
    const path = join(tmpdir(), "no-such-folder", "auth.json");
    expect(await refusal(path)).toMatchObject({ problem: "missing", message: `there is no ${path}` });
  });

  test("where the file is not JSON, or only half of it", async () => {
    for (const text of ["", "CANARY", JSON.stringify(OLD).slice(0, -10)])
      expect(await refusal(await file(text))).toMatchObject({ problem: "malformed" });
  });

  test("where Codex uses an API key", async () => {
    for (const tokens of [null, undefined, {}]) {
      const error = await refusal(await file({ auth_mode: "apikey", OPENAI_API_KEY: "CANARY-key", tokens }));
      expect(error.problem).toBe("api_key_only");
      expect(error.message).toContain("holds an API key and no ChatGPT login");
    }
  });

  test("where nobody has signed in, or the file is another one", async () => {
    for (const content of [
      {},
      [],
      "null",
      '"CANARY"',
      { OPENAI_API_KEY: null, tokens: null },
      { tokens: [] },
    ])
      expect(await refusal(await file(content))).toMatchObject({ problem: "no_login" });
  });

  test("where there is a folder, or a file too big to be one", async () => {
    const path = await file(" ".repeat(1024 * 1024 + 1));
    expect((await refusal(path)).message).toContain("is over 1 MiB");
    await mkdir(`${path}.d`);
    expect((await refusal(`${path}.d`)).message).toContain("is not a regular file");
  });

  test("where a pipe lies in its place, without waiting for it", async () => {
    const path = `${await file("")}.pipe`;
    expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
    expect((await refusal(path)).message).toContain("is not a regular file");
  });

  test("where this user may not read it", async () => {
    const path = await file(OLD);
    await chmod(path, 0o000);
    expect(await asOrdinaryUser(() => refusal(path))).toMatchObject({ problem: "denied" });
  });
});

/** Root may read anything. */
async function asOrdinaryUser<T>(work: () => Promise<T>): Promise<T> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    return await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

describe("a file is told apart by its shape:", () => {
  test("Codex's", async () => {
    const { issuer, clientId } = USUAL;
    const { tokens, identity } = WHOLE;
    expect(await readLoginFile(await file(OLD))).toEqual({
      kind: "codex",
      logins: new Map([
        ["codex", { tokens, identity, site: { issuer, clientId, usual: { issuer: true, clientId: true } } }],
      ]),
    });
    expect((await readLoginFile(await file({ tokens: OLD.tokens }))).kind).toBe("codex");
  });

  test("Codex's, of another client", async () => {
    const oauth_provenance = { client_id: "app_other" };
    const path = await file({ ...OLD, tokens: { ...OLD.tokens, oauth_provenance } });
    expect((await readLoginFile(path)).logins.get("codex")?.site).toEqual({
      ...USUAL,
      clientId: "app_other",
      usual: { issuer: true, clientId: false },
    });
  });

  test("CLIProxyAPI's file of one login is taken, called by its address", async () => {
    const { tokens } = OLD;
    const flat = { ...tokens, type: "codex", email: "a@example.com", expired: "2027-01-15T08:00:00Z" };
    const { kind, logins } = await readLoginFile(await file(flat));
    expect(kind).toBe("token_state");
    expect([...logins.keys()]).toEqual(["a@example.com"]);
    expect(logins.get("a@example.com")).toMatchObject({ tokens: WHOLE.tokens, identity: WHOLE.identity });
    const claude = readLoginFile(await file({ ...flat, type: "claude" }));
    await expect(claude).rejects.toThrow("names no accounts");
  });

  test("a token_state.json", async () => {
    const path = await file({ accounts: { a: { access_token: ACCESS } } });
    const { kind, logins } = await readLoginFile(path);
    expect([kind, [...logins.keys()], logins.get("a")?.site]).toEqual(["token_state", ["a"], undefined]);
  });

  test("neither", async () => {
    const path = await file({ some: "thing" });
    await expect(readLoginFile(path)).rejects.toThrow(LoginFileError);
  });
});
