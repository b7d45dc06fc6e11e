import { expect, test } from "bun:test";
import { UnsecuredJWT } from "jose";
import { expiryOf, identityOf } from "./claims.ts";

const AUTH = "https://api.openai.com/auth";
const PROFILE = "https://api.openai.com/profile";
const NOBODY = { accountId: undefined, userId: undefined, email: undefined, plan: undefined };

function jwt(claims: Record<string, unknown>): string {
  return new UnsecuredJWT(claims).encode();
}

test("the id token says who signed in", () => {
  const id = jwt({
    email: "a@example.com",
    [AUTH]: { chatgpt_account_id: "w1", chatgpt_user_id: "u1", user_id: "u2", chatgpt_plan_type: "plus" },
  });
  expect(identityOf(id, "opaque")).toEqual({
    accountId: "w1",
    userId: "u1",
    email: "a@example.com",
    plan: "plus",
  });
});

test("older names of the same claims are read too", () => {
  const id = jwt({ [PROFILE]: { email: "b@example.com" }, [AUTH]: { user_id: "u2" } });
  expect(identityOf(id, "")).toEqual({ ...NOBODY, email: "b@example.com", userId: "u2" });
});

test("what the id token leaves out or leaves empty is taken from the access token", () => {
  const id = jwt({ email: "", [AUTH]: { chatgpt_account_id: "w1", chatgpt_plan_type: "" } });
  const access = jwt({
    [PROFILE]: { email: "c@example.com" },
    [AUTH]: { chatgpt_account_id: "w2", chatgpt_plan_type: "pro" },
  });
  expect(identityOf(id, access)).toEqual({
    ...NOBODY,
    accountId: "w1",
    email: "c@example.com",
    plan: "pro",
  });
  expect(identityOf(undefined, access).accountId).toBe("w2");
});

test("tokens that are no JWT, or claim odd things, say nothing and are no error", () => {
  const odd = [
    "",
    "opaque",
    "a.b.c",
    "....",
    `${btoa("{}")}.${btoa("[]")}.`,
    `${btoa("{}")}.${btoa("null")}.`,
    jwt({ email: 7, [AUTH]: [], [PROFILE]: "x", exp: "soon" }),
    jwt({ [AUTH]: { chatgpt_account_id: {}, user_id: 1 } }),
  ];
  for (const token of odd) {
    expect(identityOf(token, token)).toEqual(NOBODY);
    expect(expiryOf(token)).toBeUndefined();
  }
});

test("an access token ends when it says so, in epoch milliseconds", () => {
  expect(expiryOf(jwt({ exp: 1_800_000_000 }))).toBe(1_800_000_000_000);
  for (const exp of [0, -5, 1e300]) expect(expiryOf(jwt({ exp }))).toBeUndefined();
});
