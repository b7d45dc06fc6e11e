import { describe, expect, test } from "bun:test";
import { createEnvelopes } from "../../core/envelope.ts";
import { parseObject, scanObject } from "../../core/json.ts";
import type { IsForeign } from "../../core/ports.ts";
import { leaveOut, sealsIn } from "./leave-out.ts";
import { NO_INDEX, signatureFor } from "./seals.ts";

const UNSEALED = signatureFor(undefined);
const CARRIED = signatureFor(
  createEnvelopes(() => [new Uint8Array(32)]).close(
    { protocol: "responses", kind: "encrypted", data: "gAAA" },
    [],
  ),
);
const OWN = signatureFor({ protocol: "messages", kind: "signature", data: "EqQB" });

function left(
  text: string,
  isForeign?: IsForeign,
): { readonly text: string; readonly dropped: readonly string[] } {
  const body = new TextEncoder().encode(text);
  const { body: kept, dropped } = leaveOut(body, scanObject(body), isForeign);
  return { text: new TextDecoder().decode(kept), dropped };
}

const sent = (text: string): string => left(text).text;

const thought = (signature: string): string =>
  `{"type":"thinking" , "thinking":"é","signature":"${signature}"}`;
const cited = (index: string): string => `{"type":"web_search_result_location","encrypted_index":"${index}"}`;
const talk = (...blocks: readonly string[]): string =>
  `{"model":"m", "messages" : [{"role":"user","content":"a\\u00e9"}, {"content":[${blocks.join(",")}] ,"role":"assistant"},{"role":"user","content":[{"type":"text","text":"b"}]}],"big":1.0e2}`;

describe("a request for an upstream that checks signatures", () => {
  test("leaves out the reasoning of another vendor, and nothing else", () => {
    const said = `{"type":"text", "text":"1.0"}`;
    const body = talk(thought(UNSEALED), thought(OWN), said, thought(CARRIED));
    expect(sent(body).replaceAll(/(?<=[\],]) | (?=[[\],])/g, "")).toBe(
      talk(thought(OWN), said).replaceAll(/(?<=[\],]) | (?=[[\],])/g, ""),
    );
  });

  test("keeps every byte where there is none", () => {
    const body = talk(thought(OWN), `{"type":"text","text":"gw1.x"}`);
    expect(sent(body)).toBe(body);
  });

  test("says nothing for a turn that was reasoning alone", () => {
    expect(
      JSON.parse(sent(talk(thought(CARRIED)))).messages.map((each: { role: string }) => each.role),
    ).toEqual(["user", "user"]);
  });

  test("keeps a text whose source another vendor had found, without the source", () => {
    const text = (citations: string): string => `{"type":"text","text":"t"${citations}}`;
    const mixed = text(`,"citations":[${cited(NO_INDEX)},${cited("own")}]`);
    expect(sent(talk(mixed))).toContain(text(`,"citations":[${cited("own")}]`));
    expect(sent(talk(text(`,"citations":[${cited(NO_INDEX)}]`)))).toContain(`[${text("")}]`);
  });

  test("does not take the mark for one where it is what somebody said", () => {
    const quote = `{"type":"text","text":"gw1.x"}`;
    const tool = `{"type":"tool_use","id":"t","name":"n","input":{"signature":"${CARRIED}"}}`;
    const body = sent(talk(quote, tool));
    expect(body).toContain(`${quote},${tool}`);
  });
});

describe("a conversation that had to move", () => {
  const RED = `{"type":"redacted_thinking","data":"RED"}`;
  const isForeign: IsForeign = (sealed) => sealed !== "NEW";

  test("leaves out what another account has sealed, and says so", () => {
    const said = `{"type":"text","text":"b"}`;
    const found = left(talk(thought("OLD"), RED, thought("NEW"), said), isForeign);
    expect(found.text).toContain(`{"content":[${thought("NEW")},${said}] ,"role":"assistant"}`);
    expect(found.dropped).toEqual(["thinking"]);
  });

  test("keeps every byte where all of it is the account's own", () => {
    const body = talk(thought("NEW"), `{"type":"text","text":"b"}`);
    expect(left(body, isForeign)).toEqual({ text: body, dropped: [] });
  });

  test("turns thinking by budget off within a tool loop that has lost its thought, and only there", () => {
    const call = `{"type":"tool_use","id":"t","name":"n","input":{}}`;
    const loop = (thinking: string, seal: string, last: string): string =>
      `{"thinking":${thinking},"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[${thought(seal)},${call}]},{"role":"user","content":[${last}]}]}`;
    const budget = `{"type":"enabled","budget_tokens":2048}`;
    const result = `{"type":"tool_result","tool_use_id":"t","content":"r"}`;
    const thinkingOf = (text: string): unknown => parseObject(left(text, isForeign).text)?.["thinking"];
    expect(thinkingOf(loop(budget, "OLD", result))).toEqual({ type: "disabled" });
    expect(thinkingOf(loop(budget, "NEW", result))).toEqual({ type: "enabled", budget_tokens: 2048 });
    expect(thinkingOf(loop(`{"type":"adaptive"}`, "OLD", result))).toEqual({ type: "adaptive" });
    expect(thinkingOf(loop(budget, "OLD", `{"type":"text","text":"more"}`))).toEqual({
      type: "enabled",
      budget_tokens: 2048,
    });
  });
});

describe("what an answer's account has sealed", () => {
  test("is found in events and in whole messages", () => {
    expect(
      sealsIn({ type: "content_block_delta", delta: { type: "signature_delta", signature: "S" } }),
    ).toEqual(["S"]);
    expect(sealsIn({ content_block: { type: "redacted_thinking", data: "R" } })).toEqual(["R"]);
    expect(sealsIn({ content_block: { type: "thinking", thinking: "", signature: "" } })).toEqual([]);
    const content = [
      { type: "thinking", thinking: "t", signature: "S" },
      { type: "text", text: "x" },
    ];
    expect(sealsIn({ content })).toEqual(["S"]);
  });
});
