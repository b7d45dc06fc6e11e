import { describe, expect, test } from "bun:test";
import type { Protocol } from "./account.ts";
import { type Json, scanObject } from "./json.ts";
import { sessionOf } from "./session.ts";

interface Sent {
  readonly body: Json;
  readonly headers?: Record<string, string>;
  readonly protocol?: Protocol;
  readonly key?: string;
}

function session({ body, headers = {}, protocol = "messages", key = "key" }: Sent): string {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const members = scanObject(bytes);
  return sessionOf({ protocol, headers: new Headers(headers), body: bytes, members, model: "m" }, key);
}

const user = (text: string): Json => ({ role: "user", content: text });
const reply: Json = { role: "assistant", content: "yes" };

describe("a conversation is known by", () => {
  test.each([
    ["x-claude-code-session-id"],
    ["session-id"],
    ["session_id"],
    ["thread-id"],
    ["conversation_id"],
    ["x-session-affinity"],
    ["x-session-id"],
  ])("the header %s", (name) => {
    const one = session({ headers: { [name]: "s1" }, body: { messages: [user("a")] } });
    expect(session({ headers: { [name]: "s1" }, body: { messages: [user("b")] } })).toBe(one);
    expect(session({ headers: { [name]: "s2" }, body: { messages: [user("a")] } })).not.toBe(one);
  });

  test("the session part of metadata.user_id, in both forms", () => {
    const id = "0c8de66f-8d8e-4d3c-9a52-000000000001";
    const now = session({
      body: { metadata: { user_id: JSON.stringify({ device_id: "d", session_id: id }) } },
    });
    expect(session({ body: { metadata: { user_id: `user_x_account__session_${id}` } } })).toBe(now);
    expect(session({ headers: { "session-id": id }, body: {} })).toBe(now);
  });

  test("prompt_cache_key, and client_metadata.session_id", () => {
    const cache = session({ body: { prompt_cache_key: "c" }, protocol: "responses" });
    expect(session({ body: { client_metadata: { session_id: "c" } }, protocol: "responses" })).toBe(cache);
  });
});

describe("without an id, the opening", () => {
  test("stays the same while the conversation grows", () => {
    const opening = { system: "s", messages: [user("hello")] };
    const grown = { system: "s", messages: [user("hello"), reply, user("more")] };
    expect(session({ body: grown })).toBe(session({ body: opening }));
  });

  test("stays the same when the cache mark wanders on", () => {
    const marked = [{ type: "text", text: "hello", cache_control: { type: "ephemeral" } }];
    const plain = [{ type: "text", text: "hello" }];
    const first = session({ body: { messages: [{ role: "user", content: marked }] } });
    expect(session({ body: { messages: [{ role: "user", content: plain }, reply, user("more")] } })).toBe(
      first,
    );
  });

  test("stays the same when the billing line carries another hash", () => {
    const system = (hash: string): Json => [
      { type: "text", text: `x-anthropic-billing-header: cc_version=2; cch=${hash};` },
      { type: "text", text: "You help." },
    ];
    const first = session({ body: { system: system("aaaaa"), messages: [user("a")] } });
    expect(session({ body: { system: system("bbbbb"), messages: [user("a")] } })).toBe(first);
  });

  test.each([["messages"], ["chat"], ["responses"]] as const)(
    "tells two conversations apart (%s)",
    (protocol) => {
      const list = protocol === "responses" ? "input" : "messages";
      const one = session({ protocol, body: { [list]: [{ role: "system", content: "s" }, user("a")] } });
      expect(session({ protocol, body: { [list]: [{ role: "system", content: "s" }, user("b")] } })).not.toBe(
        one,
      );
      expect(session({ protocol, body: { [list]: [{ role: "system", content: "t" }, user("a")] } })).not.toBe(
        one,
      );
    },
  );

  test("takes a bare string as input", () => {
    const of = (input: string): string => session({ protocol: "responses", body: { input } });
    expect(of("a")).not.toBe(of("b"));
  });

  test("is never shared by two client keys", () => {
    const body = { messages: [user("a")] };
    expect(session({ body, key: "one" })).not.toBe(session({ body, key: "two" }));
  });
});
