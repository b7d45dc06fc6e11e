import { describe, expect, test } from "bun:test";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UnsecuredJWT } from "jose";
import { LoginFileError } from "./foreign-file.ts";
import { readTokenState, type StateLogin } from "./token-state.ts";

const NOBODY = { accountId: undefined, userId: undefined, email: undefined, plan: undefined };
const ACCESS = new UnsecuredJWT({ exp: 1_800_000_000 }).encode();
const AT = 1_767_225_600_000;

async function read(content: unknown): Promise<ReadonlyMap<string, StateLogin>> {
  const path = join(await mkdtemp(join(tmpdir(), "state-")), "token_state.json");
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return readTokenState(path);
}

/** The one login of a file that holds this entry for account `a`. */
async function one(entry: unknown): Promise<StateLogin | undefined> {
  return (await read({ accounts: { a: entry } })).get("a");
}

test("every account's login is read as the old program kept it", async () => {
  const file = {
    accounts: {
      a: {
        refresh_token: "r-a",
        access_token: "opaque",
        chatgpt_account_id: "w-a",
        expires_at: "2026-01-01T01:00:00+01:00",
      },
      b: { refresh_token: "r-b", expires_at: "0001-01-01T00:00:00Z" },
    },
  };
  expect(await read(file)).toEqual(
    new Map([
      [
        "a",
        {
          tokens: { access: "opaque", refresh: "r-a", expiresAt: AT },
          identity: { ...NOBODY, accountId: "w-a" },
        },
      ],
      ["b", { tokens: { access: "", refresh: "r-b", expiresAt: 0 }, identity: NOBODY }],
    ]),
  );
});

test("a bare map and lists with names are taken too", async () => {
  const entry = { access_token: "x", refresh_token: "y" };
  const named = { name: "a", ...entry };
  for (const file of [{ a: entry, version: 2 }, [named], { accounts: [named] }])
    expect([...(await read(file))]).toEqual([
      ["a", { tokens: { access: "x", refresh: "y", expiresAt: 0 }, identity: NOBODY }],
    ]);
});

test("an account may have any name", async () => {
  const names = [
    ...(await read('{"accounts":{"__proto__":{"refresh_token":"r"},"ü 1":{"refresh_token":"r"}}}')),
  ];
  expect(names.map(([name]) => name)).toEqual(["__proto__", "ü 1"]);
});

describe("the end of an access token", () => {
  test("is a date, or a number of seconds or milliseconds", async () => {
    for (const end of [
      { expires_at: "2026-01-01T00:00:00.000000000Z" },
      { expires_at: AT },
      { expires_at: AT / 1000 },
      { expiry: "2026-01-01T00:00:00Z" },
      { expires_at: "", expiry: AT },
    ])
      expect((await one({ access_token: ACCESS, ...end }))?.tokens.expiresAt).toBe(AT);
  });

  test("is what the token says, where the file says nothing that makes sense", async () => {
    for (const end of [{}, { expires_at: "0001-01-01T00:00:00Z" }, { expires_at: "soon" }, { expires_at: 0 }])
      expect((await one({ access_token: ACCESS, ...end }))?.tokens.expiresAt).toBe(1_800_000_000_000);
  });

  test("has come where there is no token", async () => {
    const login = await one({ refresh_token: "r", expires_at: "2026-01-01T00:00:00Z" });
    expect(login?.tokens).toEqual({ access: "", refresh: "r", expiresAt: 0 });
  });
});

test("the id token of a newer file says who signed in", async () => {
  const id_token = new UnsecuredJWT({ email: "a@example.com" }).encode();
  expect((await one({ refresh_token: "r", id_token }))?.identity).toEqual({
    ...NOBODY,
    email: "a@example.com",
  });
});

test("entries without a token are left out, and a file may hold none", async () => {
  const entries = {
    a: { refresh_token: "", access_token: " " },
    b: null,
    c: "x",
    d: [],
    e: { refresh_token: 1 },
  };
  expect((await read({ accounts: entries })).size).toBe(0);
  expect((await read({ accounts: {} })).size).toBe(0);
});

test("a file of another shape is refused, with nothing of it in the words", async () => {
  const files = [
    "",
    "{",
    "null",
    '"CANARY"',
    {},
    { CANARY: "CANARY" },
    { accounts: [{ refresh_token: "CANARY" }] },
  ];
  for (const file of files) {
    const error: unknown = await read(file).then(
      (logins) => logins,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(LoginFileError);
    expect(String(error)).not.toContain("CANARY");
  }
});
