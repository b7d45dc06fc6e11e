import { describe, expect, test } from "bun:test";
import { scanObject, splice } from "../../core/json.ts";
import { NO_INDEX, signatureFor } from "./seals.ts";
import { unmark } from "./unmark.ts";

const [UNSEALED, UNCARRIED] = [
  signatureFor(undefined),
  signatureFor({ protocol: "responses", kind: "encrypted", data: "x" }),
];
const OWN = signatureFor({ protocol: "messages", kind: "signature", data: "EqQB" });

function sent(text: string): string {
  const body = new TextEncoder().encode(text);
  return new TextDecoder().decode(splice(body, unmark(body, scanObject(body))));
}

const thought = (signature: string): string =>
  `{"type":"thinking" , "thinking":"é","signature":"${signature}"}`;
const cited = (index: string): string => `{"type":"web_search_result_location","encrypted_index":"${index}"}`;
const talk = (...blocks: readonly string[]): string =>
  `{"model":"m", "messages" : [{"role":"user","content":"a\\u00e9"}, {"content":[${blocks.join(",")}] ,"role":"assistant"},{"role":"user","content":[{"type":"text","text":"b"}]}],"big":1.0e2}`;

describe("a request for an upstream that checks signatures", () => {
  test("leaves out the reasoning of another vendor, and nothing else", () => {
    const said = `{"type":"text", "text":"1.0"}`;
    const body = talk(thought(UNSEALED), thought(OWN), said, thought(UNCARRIED));
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
      JSON.parse(sent(talk(thought(UNCARRIED)))).messages.map((each: { role: string }) => each.role),
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
    const tool = `{"type":"tool_use","id":"t","name":"n","input":{"signature":"${UNCARRIED}"}}`;
    const body = sent(talk(quote, tool));
    expect(body).toContain(`${quote},${tool}`);
  });
});
