// Writes docs/protocols.md from what the codecs declare: `npm run docs`. A test compares the file with this.

import { join } from "node:path";
import type { Protocol } from "../src/core/account.ts";
import type { Field, Fields, Writes } from "../src/core/fields.ts";
import { PART_NAMES } from "../src/core/parts.ts";
import type { Translator } from "../src/core/ports.ts";
import { CODECS } from "../src/protocols/index.ts";
import { table } from "./table.ts";

const TITLES: Readonly<Record<Protocol, string>> = {
  messages: "Messages",
  responses: "Responses",
  chat: "Chat",
};
const PROTOCOLS = Object.values(CODECS).map(({ wire }) => wire.protocol);
const FILE = join(import.meta.dirname, "..", "docs", "protocols.md");

function translatorOf(protocol: Protocol): Translator {
  const { translator } = CODECS[protocol];
  if (translator === undefined) throw new Error(`${protocol} cannot be translated`);
  return translator;
}

function fieldsOf(client: Protocol): string {
  const others = PROTOCOLS.filter((protocol) => protocol !== client);
  const { fields } = translatorOf(client);
  const rows = Object.entries(fields).map(([name, field]) => [
    `\`${name}\``,
    ...others.map((other) => fate(field, translatorOf(other).writes)),
  ]);
  return `### From a ${TITLES[client]} client\n\n${table(["field", ...others.map((each) => `over ${TITLES[each]}`)], rows)}`;
}

function fate(field: Field, writes: Writes): string {
  if ("aside" in field) return field.aside;
  if ("holds" in field) return `part by part (${field.holds})`;
  if ("hint" in field) return `dropped: ${field.hint}`;
  if ("refused" in field) return `**400**: ${field.refused}`;
  const written = writes[field.wish];
  if (written === "hint") return "dropped";
  if (written === "refused") return "**400**";
  const places = written.at.map((place) => `\`${place}\``).join(" or ");
  return [places, written.note, field.note].filter((text) => text !== undefined && text !== "").join("; ");
}

function parts(): string {
  const rows = PART_NAMES.map((name) => [
    name,
    ...PROTOCOLS.map((protocol) => translatorOf(protocol).parts[name]),
  ]);
  return table(["part", ...PROTOCOLS.map((protocol) => `written as ${TITLES[protocol]}`)], rows);
}

/** For the tests: what a protocol's client may send. */
export function declaredFields(protocol: Protocol): Fields {
  return translatorOf(protocol).fields;
}

export function protocolsPage(): string {
  return `# Protocols

What becomes of a request, and of its answer, between a client's protocol and an upstream's. The tables are made from
what the codecs declare and act on (\`npm run docs\`), and a test sends every line of them through.

## Where nothing is translated

An account that speaks the client's own protocol is sent the client's bytes and the client is sent its answer's bytes.
What changes is the model's name where it is mapped, defaults that the configuration adds, and what has to be left out
of the history: reasoning that another account has sealed (below) and names that only this gateway knows.

## How true an answer is

Every answer carries \`x-sub2api-fidelity\`: \`passthrough\` where the bytes passed, \`lossless\` where everything was
carried, \`lossy; dropped=a,b\` where hints were left out; their names are the client's own. What would change the answer
and cannot be carried is never left out: it is a 400 that names the field, before any upstream is asked. A field that
these tables do not know is a hint.

## Fields

${PROTOCOLS.map(fieldsOf).join("\n\n")}

## Conversation and tools, part by part

The column is the upstream's protocol; where that is the client's own, nothing is rewritten. A part that the client's
protocol does not have cannot come from it.

${parts()}

Ids of calls pass as they are, as long as the other protocol takes them; else the same id always becomes the same
shorter one. Names of tools likewise.

${PROSE}`;
}

const PROSE = `## Reasoning

| sealed by | to a Messages client | to a Responses client | to a Chat client |
| --- | --- | --- | --- |
| Messages: \`signature\`, \`redacted_thinking\` | as it is | \`encrypted_content\`, in an envelope | \`reasoning_details[]\`, in an envelope |
| Responses: \`encrypted_content\` | \`signature\`, in an envelope | as it is | \`reasoning_details[]\`, in an envelope |
| Chat: \`reasoning_content\`, unsealed | \`thinking\` with a mark | \`summary\` | as it is |

Text goes along: \`thinking\`, \`summary\`, \`reasoning_content\`. An envelope (\`gw1.…\`) holds what the upstream sealed, as
it was, and says in a way that only this gateway can read which account it came from. Its proof covers the text beside
it. What comes back is opened and sent to that account, exactly as it had been; to any other account, beside other words,
or with a broken proof it is left out, together with its text, and named. Sealed reasoning is for clients that ask for it:
a Messages client with \`thinking\`, a Responses client that includes \`reasoning.encrypted_content\`, a Chat client with
\`reasoning_effort\`. A Chat client that does not send \`reasoning_details\` back loses it, which no upstream minds; models
that think by a budget do not think for the rest of such a tool loop.

When a conversation had to move to another account, what the account before had sealed is left out and named, on the
client's own protocol as well. An upstream that refuses sealed reasoning nevertheless is asked once more without it. A
conversation with a \`compaction\` does not move: only its account can read it.

## Answers

| ends because | Messages | Responses | Chat |
| --- | --- | --- | --- |
| it is done | \`end_turn\` | \`completed\` | \`stop\` |
| tools are called | \`tool_use\` | \`completed\` | \`tool_calls\` |
| of a stop string | \`stop_sequence\` | \`completed\` | \`stop\` |
| of the limit | \`max_tokens\` | \`incomplete\`, \`max_output_tokens\` | \`length\` |
| a safety system stepped in | \`refusal\` | \`incomplete\`, \`content_filter\` | \`content_filter\` |

Usage: Messages counts what no cache served, what was read from it and what was written to it apart; the others count the
whole and what is within it. 20 + 100 read + 5 written here is 125 with 100 and 5 there.

A stream is translated event by event and has exactly one end. What the upstream did not finish ends with the client's
protocol's error event, never with a marker of success. A call whose arguments broke off is an error, or the limit's stop
where the limit cut it. Errors keep their words; their types are those of the client's protocol.

## Known limits

- Numbers above 2^53 in the arguments of a Messages client's calls, and the order of keys that look like whole numbers,
  may change on the way to another protocol.
- What a custom tool is called with is told to a Messages client when it is whole.
- A list of answers (\`n\`), sound, and tools that only one provider runs cannot be carried.
`;

if (import.meta.main) await Bun.write(FILE, protocolsPage());
