import { expect, test } from "bun:test";
import { createEnvelopes } from "../../core/envelope.ts";
import { scanObject } from "../../core/json.ts";
import { leaveOut } from "./leave-out.ts";

const CARRIED = createEnvelopes(() => [new Uint8Array(32)]).close(
  { protocol: "messages", kind: "signature", data: "EqQB" },
  [],
).data;

function left(text: string): { text: string; dropped: readonly string[] } {
  const body = new TextEncoder().encode(text);
  const { body: kept, dropped } = leaveOut(body, scanObject(body));
  return { text: new TextDecoder().decode(kept), dropped };
}

const detail = (signature: string): string =>
  `{"type":"reasoning.text","text":"t","signature":"${signature}"}`;
const turn = (details: string): string =>
  `{"messages":[{"role":"assistant","content":"é"${details}}, {"role":"user","content":"\\"gw1.m\\""}],"big":1.0e2}`;

test("a request for a server of this protocol leaves out the reasoning that others have sealed", () => {
  const found = left(turn(`,"reasoning_details":[${detail(CARRIED)}]`));
  expect(found).toEqual({ text: turn(""), dropped: ["reasoning_content"] });
  expect(left(turn(`,"reasoning_details":[${detail("own")},${detail(CARRIED)}]`)).text).toBe(
    turn(`,"reasoning_details":[${detail("own")}]`),
  );
});

test("every byte stays where there is none", () => {
  for (const body of [turn(""), turn(`,"reasoning_details":[${detail("own")}]`)])
    expect(left(body)).toEqual({ text: body, dropped: [] });
});
