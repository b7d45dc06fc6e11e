// Whether a client was told the truth about a stream that its upstream cut: what it may have, and what it must be told.
import type { BodyEnd } from "../support/answers.ts";
import type { Reply } from "../support/client.ts";
import { parseJson } from "../support/json-pick.ts";
import { judge, judgeStream, type Protocol, type Verdict } from "../support/oracle.ts";
import { splitEvents } from "../support/sse-text.ts";

/** A stream on its way from an upstream's protocol to a client's. */
export interface Passage {
  readonly client: Protocol;
  readonly upstream: Protocol;
  /** The upstream's stream as it would have been, and what a client gets of it then. */
  readonly sent: Buffer;
  readonly got: Buffer;
}

export interface Cut {
  readonly end: BodyEnd;
  readonly at: number;
}

/** What is wrong with the reply to a stream cut like this; nothing when the client was told the truth. */
export type LieDetector = (cut: Cut, reply: Reply) => readonly string[];

/** Cuts within one event leave the same answer, so what was found is remembered. */
export function lieDetector(passage: Passage): LieDetector {
  const found = new Map<string, readonly string[]>();
  return (cut, reply) => {
    const events = splitEvents(bytesSaid(cut, passage.sent)).length;
    const key = [cut.end, events, reply.status, reply.end, normal(reply.body)].join(" ");
    let lies = found.get(key);
    if (lies === undefined) found.set(key, (lies = liesOf(passage, cut, reply)));
    return lies;
  };
}

function liesOf(passage: Passage, cut: Cut, reply: Reply): string[] {
  const said = judgeStream(passage.upstream, bytesSaid(cut, passage.sent));
  const told = judge(passage.client, reply);
  const lies = [...told.problems];
  const isFinished = said.complete || isFinishedWithoutMarker(passage, cut, said);
  const isSame = passage.client === passage.upstream;
  const mayTell = isSame ? said.markers : isFinished ? told.markers : [];
  const invented = told.markers.filter((marker) => !mayTell.includes(marker));
  if (told.complete && !said.complete && (isSame || !isFinished))
    lies.push("success that the upstream did not tell");
  if (invented.length > 0) lies.push(`marker ${invented.join()} not from the upstream`);
  if (cut.end === "clean" && isFinished && (reply.status !== 200 || told.error !== undefined))
    lies.push("an answer that came to its end was told as a failure");
  if (!isFinished && told.error === undefined && reply.end === "complete") lies.push("the cut was not told");
  if (reply.status === 200) {
    // The end that stands for a missing marker is told in the client's words, without the usage that never came.
    const isTold = !isSame && told.complete && !said.complete;
    lies.push(...(isTold ? [] : additions(told, passage.got, reply)), ...inventions(passage, told, said));
  }
  if (reply.status !== 200 && (reply.status < 500 || told.error === undefined))
    lies.push(`status ${reply.status} without an error`);
  return lies;
}

/** A clean end stands in for the last blank line: every line before it is whole. */
function bytesSaid({ end, at }: Cut, stream: Buffer): Buffer {
  const sent = stream.subarray(0, at);
  return end === "clean" && sent.at(-1) === 0x0a ? Buffer.concat([sent, Buffer.from("\n")]) : sent;
}

/** Servers that never send `[DONE]` exist: a finish_reason and a clean end are an end. */
function isFinishedWithoutMarker({ upstream }: Passage, { end }: Cut, said: Verdict): boolean {
  return upstream === "chat" && end === "clean" && said.stop !== undefined;
}

/** All but one error event at the end must stand in the uncut answer, byte for byte and event by event. */
function additions(told: Verdict, uncut: Buffer, reply: Reply): string[] {
  const events = splitEvents(reply.body);
  const kept = Buffer.concat(told.error === undefined ? events : events.slice(0, -1));
  const found: string[] = [];
  if (told.tail !== "") found.push(`half an event: ${JSON.stringify(told.tail.slice(0, 60))}`);
  if (!normal(uncut).startsWith(normal(kept))) found.push("bytes that the upstream's answer does not have");
  return found;
}

/** Text must be a beginning of the upstream's; a call that is told as whole must have been. */
function inventions({ upstream }: Passage, told: Verdict, said: Verdict): string[] {
  const found: string[] = [];
  if (!said.text.startsWith(told.text)) found.push("text that the upstream did not send");
  for (const call of told.toolCalls.filter((each) => each.closed)) {
    const origin = said.toolCalls.find((each) => each.id === call.id);
    const given = origin?.arguments === "" ? "{}" : origin?.arguments;
    // Chat says of no call that it is whole: where the next one begins, its JSON has to say so.
    const isWhole = origin?.closed === true || (upstream === "chat" && parseJson(given ?? "") !== undefined);
    if (!isWhole || (call.arguments || "{}") !== given)
      found.push(`call ${call.id} told as whole: ${call.arguments}`);
  }
  return found;
}

/** Without the ids and times that are made anew for each exchange. */
function normal(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replaceAll(/req_[0-9a-f]{32}/g, "req")
    .replaceAll(/"id":"chatcmpl-[^"]*"/g, '"id":"chatcmpl"')
    .replaceAll(/"(created|created_at|completed_at)":\d+/g, '"$1":0');
}
