// What the comparison of raw requests would say, on verdicts made by hand.
import { expect, test } from "bun:test";
import { broken, disagreements, type Verdicts } from "./raw.ts";
import type { Verdict } from "./raw-stands.ts";

const INPUT = { bytes: Buffer.from(""), twists: ["noise"], bodies: ["{1}", "{2}"] };

/** Answers of this status to requests with these bodies. */
function saw(status: number, ...bodies: string[]): Verdict {
  return {
    statuses: [status],
    closed: false,
    passed: bodies.map((body) => ({ body, isConversation: true })),
  };
}

const kinds = (verdicts: Verdicts): string[] => disagreements(verdicts, undefined).map(({ kind }) => kind);

test("a request or a body that the front has not passed on is a finding", () => {
  const behind = (...bodies: string[]): Verdicts => ({
    nginx: saw(200, "{1}"),
    "nginx+gateway": saw(200, ...bodies),
  });
  expect(broken(INPUT, behind("{1}"))).toBeUndefined();
  expect(broken(INPUT, behind())).toBeUndefined();
  expect(broken(INPUT, behind("{1}", "{2}"))).toContain("did not pass on");
  expect(broken(INPUT, behind("{1}", "{1}"))).toContain("did not pass on");
  expect(broken(INPUT, behind("{1"))).toContain("did not pass on");
});

test("a body that nobody sent is a finding", () => {
  expect(broken(INPUT, { gateway: saw(200, "{1}", "{2}") })).toBeUndefined();
  expect(broken(INPUT, { gateway: saw(200, "{") })).toContain("of its own");
  expect(broken(INPUT, { gateway: saw(200, "{1}", "{1}", "{2}") })).toContain("made 3 requests");
});

test("each disagreement has its kind", () => {
  expect(kinds({ gateway: saw(200, "{1}"), haproxy: saw(200, "{1}") })).toEqual([]);
  expect(kinds({ gateway: saw(400), haproxy: saw(200, "{1}") })).toEqual(["strict"]);
  expect(kinds({ gateway: saw(200, "{1}"), haproxy: saw(400) })).toEqual(["lax"]);
  expect(kinds({ gateway: saw(200, "{1}"), haproxy: saw(400), nginx: saw(200, "{1}") })).toEqual(["alone"]);
  expect(kinds({ gateway: saw(200, "{1}", "{2}"), haproxy: saw(200, "{1}") })).toEqual(["more"]);
  expect(kinds({ gateway: saw(200, "{1}"), haproxy: saw(200, "{1}", "{2}") })).toEqual(["fewer"]);
  expect(kinds({ gateway: saw(200, "{1}"), haproxy: saw(200, "{2}") })).toEqual(["body"]);
  expect(kinds({ gateway: saw(200, "{1}"), haproxy: saw(502) })).toEqual(["unread"]);
});

test("an answer for which the front had not asked is a finding, beside which it was", () => {
  const surplus = { front: "haproxy", ids: [1], asked: 1, statuses: [200, 400] } as const;
  expect(disagreements({}, surplus)).toMatchObject([{ kind: "surplus", front: "haproxy" }]);
});
