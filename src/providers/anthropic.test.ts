import { expect, test } from "bun:test";
import { sampleRequest } from "../../test/support/samples.ts";
import { anthropic } from "./anthropic.ts";
import { prepared, recorded } from "./rig.test.ts";

/** Not for upstream as they came: the connection's own. */
const HOP = ["accept-encoding", "connection"];

test.each(["claude-code", "claude-code-title", "anthropic-sdk"] as const)(
  "a fixed bearer token is all that is added to the request of %s",
  (name) => {
    const { headers = {}, body } = recorded(sampleRequest(name));
    const sent = prepared(anthropic, {
      access: { kind: "bearer", secret: "fixed-token" },
      protocol: "messages",
      upstream: "messages",
      headers,
      body,
    });
    const own = Object.fromEntries(Object.entries(headers).filter(([header]) => !HOP.includes(header)));
    expect(Object.fromEntries(sent.headers)).toEqual({
      ...own,
      "accept-encoding": "identity",
      authorization: "Bearer fixed-token",
      "content-type": "application/json",
    });
    expect(sent.text).toBe(JSON.stringify(body));
    expect(sent.dropped).toBeUndefined();
  },
);

test("a client that names neither version nor beta gets the version alone", () => {
  const { headers } = prepared(anthropic, {
    access: { kind: "bearer", secret: "fixed-token" },
    protocol: "messages",
    upstream: "messages",
    body: { model: "claude-sonnet-5", messages: [] },
  });
  expect(Object.fromEntries(headers)).toEqual({
    "accept-encoding": "identity",
    "anthropic-version": "2023-06-01",
    authorization: "Bearer fixed-token",
    "content-type": "application/json",
    "user-agent": "sub2api_simple/0.1.0",
  });
});
