// The grammar's own cases, one by one.
import { expect, test } from "bun:test";
import { asked, bodyOfText, bodyOfValue, checkBody } from "./json.ts";
import { I_VALUES, latin1, N_TEXTS, N_VALUES, Y_TEXTS, Y_VALUES } from "./json-cases.ts";

const shown = (bytes: Buffer): string => bytes.toString("latin1").slice(0, 80);

async function verdicts(bodies: readonly Buffer[]): Promise<string[]> {
  const taken: string[] = [];
  for (const body of bodies) {
    await checkBody(body);
    if ((await asked(body)) !== undefined) taken.push(shown(body));
  }
  return taken;
}

test("texts of the grammar are taken", async () => {
  const bodies = [...Y_VALUES.map(bodyOfValue), ...Y_TEXTS.map(bodyOfText)];
  expect(await verdicts(bodies)).toEqual(bodies.map(shown));
});

test("texts that are none are refused", async () => {
  expect(await verdicts([...N_VALUES.map(bodyOfValue), ...N_TEXTS.map(bodyOfText)])).toEqual([]);
});

test("what the grammar leaves open is passed on", async () => {
  const bodies = I_VALUES.map((value) => latin1(`{"model":"m","a":${value}}`));
  expect(await verdicts(bodies)).toEqual(bodies.map(shown));
});
