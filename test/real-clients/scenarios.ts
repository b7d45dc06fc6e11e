// What each client does against each vendor: an agent's everyday, and what disturbs it.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { held, json, sse } from "../support/answers.ts";
import { credentialOf } from "../support/gateway-config.ts";
import type { Upstream } from "../support/upstream.ts";
import { CODECS } from "../../src/protocols/index.ts";
import type { Hands } from "./clients.ts";
import { isTalk, model, type Script, type Vendor } from "./model.ts";

export interface Stage {
  readonly upstream: Upstream;
  readonly vendor: Vendor;
  readonly hands: Hands;
  readonly work: string;
  /** Leases out at the gateway. */
  active(): number;
}

export interface Ended {
  /** Undefined when it was killed. */
  readonly code: number | undefined;
  readonly output: string;
}

export interface Scenario {
  readonly name: string;
  /** Gives the upstream its script. */
  set(stage: Stage): void;
  readonly prompt: (stage: Stage) => string;
  /** A picture for the command line, where the client takes one; else it is read as a file. */
  readonly picture?: boolean;
  /** True when the client is to be killed. */
  readonly kill?: (stage: Stage) => boolean;
  check(stage: Stage, ended: Ended): void;
}

const DONE = "All done, the colour is blue.";
export const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

const notes = ({ work }: Stage): string => join(work, "notes.txt");

/** Reads, edits, says that it is done. */
function editing(stage: Stage): Script {
  const { hands } = stage;
  return ({ results }) => {
    if (results.length === 0) return hands.read(notes(stage));
    return results.length === 1 ? hands.edit(notes(stage), "red", "blue") : { say: DONE };
  };
}

function talks({ upstream, vendor }: Stage): Upstream["requests"] {
  return upstream.requests.filter((request) => isTalk(vendor, request));
}

function expectEdited(stage: Stage, { code, output }: Ended): void {
  assert.equal(readFileSync(notes(stage), "utf8"), "colour: blue\n", "the file was edited");
  assert.ok(output.includes(DONE), `the client says what the model said, not: ${output.slice(-500)}`);
  assert.equal(code, 0);
}

const editPrompt = (stage: Stage): string => `Change the colour in ${notes(stage)} to blue.`;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "edit loop",
    set(stage) {
      stage.upstream.otherwise(model(stage.vendor, editing(stage)));
    },
    prompt: editPrompt,
    check(stage, ended) {
      expectEdited(stage, ended);
      const [, second, third] = talks(stage);
      assert.ok(second?.body.toString().includes("colour: red"), "the model was told what the file held");
      assert.ok(third !== undefined, "the model was told of the edit");
    },
  },
  {
    name: "failing tool",
    set(stage) {
      const { hands, work } = stage;
      const script: Script = ({ results }) =>
        results.length === 0 ? hands.read(join(work, "nothing-here.txt")) : { say: "There is no such file." };
      stage.upstream.otherwise(model(stage.vendor, script));
    },
    prompt: () => "Read nothing-here.txt.",
    check(stage, { code, output }) {
      const last = talks(stage).at(-1)?.body.toString() ?? "";
      assert.match(
        last,
        /does not exist|no such file|not found|is_error":true/i,
        "the model was told that it failed",
      );
      assert.ok(output.includes("There is no such file."));
      assert.equal(code, 0);
    },
  },
  {
    name: "picture",
    picture: true,
    set(stage) {
      const { hands, work } = stage;
      const shown = PNG.toString("base64").slice(0, 40);
      const script: Script = ({ results, text }) =>
        text.includes(shown) || results.length > 0 ? { say: "A dot." } : hands.read(join(work, "dot.png"));
      stage.upstream.otherwise(model(stage.vendor, script));
    },
    prompt: ({ work }) => `What is on ${join(work, "dot.png")}?`,
    check(stage, { code, output }) {
      const bodies = talks(stage).map((request) => request.body.toString());
      assert.ok(
        bodies.some((body) => /"(image|input_image)"/.test(body) && body.includes("iVBORw0KGgo")),
        "the picture reached the model",
      );
      assert.ok(output.includes("A dot."));
      assert.equal(code, 0);
    },
  },
  {
    name: "long context",
    set(stage) {
      stage.upstream.otherwise(model(stage.vendor, () => ({ say: "That was long." })));
    },
    prompt: () => `Read this: ${"The quick brown fox é jumps. ".repeat(3_500)}THE-END`,
    check(stage, { code, output }) {
      const body = talks(stage)[0]?.body.toString() ?? "";
      assert.ok(body.includes("THE-END") && body.length > 100_000, "all of it reached the model");
      assert.ok(output.includes("That was long."));
      assert.equal(code, 0);
    },
  },
  {
    name: "abort",
    set(stage) {
      const never = held(json(200, {}));
      const aside = model(stage.vendor, () => ({ say: "?" }));
      stage.upstream.otherwise((request, connection) =>
        (isTalk(stage.vendor, request) ? never.answer : aside)(request, connection),
      );
    },
    prompt: () => "Think about it.",
    kill: (stage) => talks(stage).length > 0,
    check(stage) {
      assert.equal(stage.active(), 0, "no slot is held for a client that left");
      assert.equal(stage.upstream.active, 0, "nothing goes on upstream");
    },
  },
  {
    name: "429 in the middle",
    set(stage) {
      const { upstream, vendor } = stage;
      const plays = model(vendor, editing(stage));
      const limit = {
        type: "error",
        error: { type: "rate_limit_error", message: "slow down", code: "rate_limit_exceeded" },
      };
      const limited = json(429, limit, { "retry-after": "600" });
      upstream.otherwise((request, connection) => {
        const late = talks(stage).length > 1 && request.credential === credentialOf("a");
        return (late ? limited : plays)(request, connection);
      });
    },
    prompt: editPrompt,
    check(stage, ended) {
      expectEdited(stage, ended);
      const asked = new Set(stage.upstream.requests.map((request) => request.credential));
      assert.deepEqual([...asked].toSorted(), [credentialOf("a"), credentialOf("b")]);
      assert.ok(!/429|rate limit|slow down/i.test(ended.output), "the client saw nothing of it");
    },
  },
  {
    name: "cut stream",
    set(stage) {
      const { upstream, vendor } = stage;
      const plays = model(vendor, editing(stage));
      let cuts = 0;
      upstream.otherwise((request, connection) => {
        const isLast = isTalk(vendor, request) && talks(stage).length >= 3 && cuts === 0;
        if (!isLast) return plays(request, connection);
        cuts += 1;
        return sse(halfOf(vendor), { end: "fin" })(request, connection);
      });
    },
    prompt: editPrompt,
    check(stage, { code, output }) {
      assert.equal(readFileSync(notes(stage), "utf8"), "colour: blue\n");
      const again = talks(stage).length > 3 && output.includes(DONE) && code === 0;
      const told = code !== 0 || /error|closed|disconnect|interrupted|cut|fail/i.test(output);
      assert.ok(again || told, `the client asks again or says that it broke, not: ${output.slice(-500)}`);
    },
  },
];

/** An answer that breaks off within its text. */
function halfOf(vendor: Vendor): string {
  const content = [
    { type: vendor === "messages" ? "text" : "output_text", text: "All done, the", annotations: [] },
  ];
  const whole =
    vendor === "messages"
      ? {
          id: "msg_c",
          type: "message",
          role: "assistant",
          model: "m",
          content,
          stop_reason: "end_turn",
          usage: { input_tokens: 1, output_tokens: 1 },
        }
      : {
          id: "resp_c",
          object: "response",
          status: "completed",
          model: "m",
          output: [{ id: "msg_c", type: "message", role: "assistant", status: "completed", content }],
          usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
        };
  const events = CODECS[vendor].wire.unfold(whole).split("\n\n");
  const delta = events.findIndex((event) => /text_delta|output_text\.delta/.test(event));
  return `${events.slice(0, delta + 1).join("\n\n")}\n\n`;
}

export function prepareWork(work: string): void {
  writeFileSync(join(work, "notes.txt"), "colour: red\n");
  writeFileSync(join(work, "dot.png"), PNG);
}
