import { describe, expect, test } from "bun:test";
import { createEnvelopes } from "../../core/envelope.ts";
import { scanObject } from "../../core/json.ts";
import type { IsForeign } from "../../core/ports.ts";
import { itemId, leaveOut, sealsIn } from "./leave-out.ts";

const CARRIED = createEnvelopes(() => [new Uint8Array(32)]).close(
  { protocol: "messages", kind: "signature", data: "EqQB" },
  [],
).data;

function left(text: string, isForeign?: IsForeign): { text: string; dropped: readonly string[] } {
  const body = new TextEncoder().encode(text);
  const { body: kept, dropped } = leaveOut(body, scanObject(body), isForeign);
  return { text: new TextDecoder().decode(kept), dropped };
}

const said = (id: string): string => `{"type":"message", ${id}"role":"assistant","content":"é"}`;
const thought = (id: string, sealed: string): string =>
  `{"type":"reasoning","id":"${id}","summary":[]${sealed === "" ? "" : `,"encrypted_content":"${sealed}"`}}`;
const asked = (...items: readonly string[]): string =>
  `{"model":"m","input": [${items.join(", ")}] ,"big":1.0e2}`;

describe("a request for the service itself", () => {
  test("names no item by an id of ours, and brings no reasoning of another vendor", () => {
    const [id, rs] = [itemId("msg", "abc", 1), itemId("rs", "abc", 0)];
    const found = left(
      asked(thought(rs, CARRIED), thought(rs, ""), thought("rs_1", "gAAA"), said(`"id":"${id}",`)),
    );
    expect(found.text).toBe(
      `{"model":"m","input": [ ${thought("rs_1", "gAAA")}, ${said("").replace(" ", "")}] ,"big":1.0e2}`,
    );
    expect(found.dropped).toEqual(["input.reasoning"]);
  });

  test("loses nothing by losing an id, and says so", () => {
    expect(left(asked(said(`"id":"${itemId("msg", "abc", 1)}",`))).dropped).toEqual([]);
  });

  test("keeps every byte where there is nothing of ours, also where somebody speaks of it", () => {
    for (const body of [
      asked(thought("rs_1", "gAAA"), said(`"id":"msg_1",`)),
      asked(`{"role":"user","content":"id rs_gw1_abc_0 and \\"gw1.m\\""}`),
      `{"model":"m","input":"rs_gw1_abc_0"}`,
    ])
      expect(left(body)).toEqual({ text: body, dropped: [] });
  });
});

describe("a conversation that had to move", () => {
  const isForeign: IsForeign = (sealed) => sealed !== "NEW";

  test("leaves out what another account has sealed or stored, and the ids by which it would be looked up", () => {
    const found = left(
      asked(thought("rs_1", "OLD"), thought("rs_2", ""), thought("rs_3", "NEW"), said(`"id":"msg_1",`)),
      isForeign,
    );
    expect(JSON.parse(found.text).input).toEqual([
      { type: "reasoning", summary: [], encrypted_content: "NEW" },
      { type: "message", role: "assistant", content: "é" },
    ]);
    expect(found.dropped).toEqual(["input.reasoning"]);
  });

  test("keeps what points at an item, for the service to say that it has none", () => {
    const body = asked(`{"type":"item_reference","id":"msg_1"}`);
    expect(left(body, isForeign)).toEqual({ text: body, dropped: [] });
  });
});

test("what an answer's account has sealed is found in events and in whole responses", () => {
  const item = { type: "reasoning", id: "rs_1", encrypted_content: "S" };
  expect(sealsIn({ type: "response.output_item.done", item })).toEqual(["S"]);
  expect(
    sealsIn({ output: [item, { type: "message", id: "msg_1" }, { type: "reasoning", id: "rs_2" }] }),
  ).toEqual(["S", "rs_2"]);
});
