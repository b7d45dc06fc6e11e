// What every client should be able to do over every upstream.
import type { Asked, Call, Said, Turn } from "./dialect.ts";

export interface Feature {
  readonly name: string;
  readonly asked: Asked;
  readonly said: Said;
  /** What the client is to see, where that is not what was said. */
  readonly seen?: Partial<Said>;
  /** What becomes of the answer on its way to the gateway. */
  readonly fault?: "error" | "cut";
}

const IMAGE =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const PDF = "JVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3RoIDMgMCBSPj4K";
const ROME: Call = { id: "call_1", input: { city: "Rom é 漢" } };
const OSLO: Call = { id: "call_2", input: { city: "Oslo" } };
const user = (text: string): Turn => ({ user: [{ text }] });
const START = [user("Weather?")];
const ANSWERED: Said = { text: "Grüße 漢 🙂.", stop: "done" };

export const FEATURES: readonly Feature[] = [
  { name: "text", asked: { turns: START }, said: ANSWERED },
  {
    name: "one tool",
    asked: { turns: START, tools: true },
    said: { text: "Let me see.", calls: [ROME], stop: "tools" },
  },
  {
    name: "parallel tools",
    asked: {
      turns: [
        ...START,
        { calls: [ROME, OSLO] },
        {
          results: [
            { id: "call_1", text: "11 C" },
            { id: "call_2", text: "2 C" },
          ],
        },
      ],
      tools: true,
    },
    said: {
      calls: [
        { ...ROME, id: "call_3" },
        { ...OSLO, id: "call_4" },
      ],
      stop: "tools",
    },
  },
  {
    name: "tool error",
    asked: {
      turns: [...START, { calls: [ROME] }, { results: [{ id: "call_1", text: "no network", failed: true }] }],
      tools: true,
    },
    said: ANSWERED,
  },
  {
    name: "image",
    asked: { turns: [{ user: [{ text: "What is it?" }, { image: IMAGE }] }] },
    said: ANSWERED,
  },
  { name: "PDF", asked: { turns: [{ user: [{ pdf: PDF }, { text: "Sum it up." }] }] }, said: ANSWERED },
  {
    name: "JSON schema",
    asked: {
      turns: START,
      schema: {
        type: "object",
        properties: { n: { type: "integer" } },
        required: ["n"],
        additionalProperties: false,
      },
    },
    said: { text: '{"n":1}', stop: "done" },
  },
  {
    name: "refusal",
    asked: { turns: START },
    said: { refusal: "I cannot help with that.", stop: "refused" },
    seen: { text: "I cannot help with that." },
  },
  { name: "length", asked: { turns: START }, said: { text: "Once upon a", stop: "length" } },
  {
    name: "stop sequence",
    asked: { turns: START, stop: "<END>" },
    said: { text: "one two ", stop: "sequence", met: "<END>" },
  },
  { name: "mid-stream error", asked: { turns: START }, said: ANSWERED, fault: "error" },
  { name: "cut", asked: { turns: START }, said: ANSWERED, fault: "cut" },
];
