import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createEnvelopes, isShowable, MARK, readSeal } from "./envelope.ts";
import type { Seal } from "./hub.ts";

const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const envelopes = createEnvelopes(() => [key(1)]);
const KINDS = [
  { protocol: "messages", kind: "signature" },
  { protocol: "messages", kind: "redacted" },
  { protocol: "responses", kind: "encrypted" },
] as const;
const seals = fc
  .record({ kind: fc.constantFrom(...KINDS), data: fc.string(), issuer: fc.constantFrom("Ab-_9", "x") })
  .map(({ kind, data, issuer }): Seal => ({ ...kind, data, issuer }));
const texts = fc.array(fc.string({ minLength: 1, unit: "binary" }), { maxLength: 4 });

describe("an envelope", () => {
  test("gives back what was put in, also when the parts came back as one text", () => {
    fc.assert(
      fc.property(seals, texts, (seal, parts) => {
        const closed = envelopes.close(seal, parts);
        const back = readSeal(closed.data, { protocol: "chat", kind: "encrypted" });
        expect(back).toEqual({ protocol: seal.protocol, kind: seal.kind, data: closed.data });
        expect(envelopes.open(back, parts)).toEqual({ seal, parts });
        const joined = parts.length > 0 ? [parts.join("\n\n")] : [];
        expect(envelopes.open(back, joined)).toEqual({ seal, parts });
      }),
    );
  });

  test("does not open beside other words, or with one character changed, or with another key", () => {
    fc.assert(
      fc.property(seals, texts, fc.nat(), (seal, parts, at) => {
        const closed = envelopes.close(seal, parts);
        expect(envelopes.open(closed, [...parts, "more"])).toBeUndefined();
        expect(createEnvelopes(() => [key(2)]).open(closed, parts)).toBeUndefined();
        const place = at % closed.data.length;
        const other = closed.data[place] === "A" ? "B" : "A";
        const data = closed.data.slice(0, place) + other + closed.data.slice(place + 1);
        const opened = envelopes.open({ ...closed, data }, parts);
        // The last character of the proof has bits that say nothing.
        if (opened !== undefined) expect(opened).toEqual({ seal, parts });
      }),
    );
  });

  test("that an older key has closed still opens, and new ones are closed with the new key", () => {
    const seal: Seal = { ...KINDS[0], data: "sig", issuer: "i" };
    const both = createEnvelopes(() => [key(2), key(1)]);
    expect(both.open(envelopes.close(seal, ["t"]), ["t"])?.seal).toEqual(seal);
    expect(envelopes.open(both.close(seal, ["t"]), ["t"])).toBeUndefined();
  });

  test("is the same each time, so that what a prompt cache knows stays as it is", () => {
    const seal: Seal = { ...KINDS[2], data: "gAAA", issuer: "i" };
    expect(envelopes.close(seal, ["a", "b"])).toEqual(envelopes.close(seal, ["a", "b"]));
  });

  test("names an account without saying its name", () => {
    const account = { name: "work", provider: "openai", baseUrl: "https://api.openai.com" };
    const issuer = envelopes.issuerOf(account);
    expect(issuer).toMatch(/^[\w-]{8}$/);
    expect(envelopes.issuerOf({ ...account })).toBe(issuer);
    expect(envelopes.issuerOf({ ...account, name: "home" })).not.toBe(issuer);
    expect(createEnvelopes(() => [key(2)]).issuerOf(account)).not.toBe(issuer);
  });
});

test("a seal in nobody's envelope is the protocol's own, and shown to nobody else", () => {
  const own = readSeal("EqQB", KINDS[0]);
  expect(own).toEqual({ ...KINDS[0], data: "EqQB" });
  expect(isShowable(own, "messages")).toBe(true);
  expect(isShowable(own, "chat")).toBe(false);
  expect(envelopes.open(own, [])).toBeUndefined();
  for (const broken of [MARK, `${MARK}c`, `${MARK}m.i..`, `${MARK}q.i..p.d`])
    expect(envelopes.open({ ...KINDS[0], data: broken }, [])).toBeUndefined();
});
