// The same stream in other clothes: line ends, byte order mark, and reads that part it anywhere, also within a
// character. Bytes that pass are the same bytes; what is converted is the same however it was parted.
import assert from "node:assert/strict";
import { answerBody, headText } from "../support/answers.ts";
import type { Reply } from "../support/client.ts";
import { textAnswer, textStream } from "../support/made-streams.ts";
import { splitEvents, withLineEnds, type LineEnd } from "../support/sse-text.ts";
import type { Answer, UpstreamRequest } from "../support/upstream.ts";
import { expectWhole } from "./check.ts";
import { PATIENT, stage, type Case, type Row, type Stage } from "./row.ts";

const TEXT = "Grüße — 你好 👩‍💻";
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const LINE_ENDS: readonly LineEnd[] = ["\n", "\r\n", "\r"];
const AT_ONCE = 8;
/** Between two parts, so that they are read one by one. */
const PART_MS = 2;
/** A header that goes up unchanged carries the number of the split. */
const NUMBER = "x-stainless-retry-count";

/** Where a body is parted. */
type Split = readonly number[];

function numberOf(request: UpstreamRequest): number {
  return Number(request.header(NUMBER) ?? 0);
}

function parted(each: Case, bytes: Buffer, splits: readonly Split[]): Answer {
  const type = each.stream ? "text/event-stream" : "application/json";
  const head = headText(200, { "content-type": type, "content-length": String(bytes.length) });
  return async (request, connection) => {
    await connection.write(head);
    let from = 0;
    for (const to of splits[numberOf(request)] ?? []) {
      await connection.write(bytes.subarray(from, to));
      await connection.sleep(PART_MS);
      from = to;
    }
    await connection.finish(bytes.subarray(from));
  };
}

/** One cut at every place that matters and at each third of the rest, and pairs of them. */
function splitsOf(bytes: Buffer, seed = 0): readonly Split[] {
  const places = new Set<number>([1, 2, 3, bytes.length - 1]);
  let end = 0;
  for (const event of splitEvents(bytes)) {
    end += event.length;
    for (let place = end - 4; place <= end + 1; place += 1) places.add(place);
  }
  const text = bytes.indexOf("Gr");
  for (let place = text; place <= text + Buffer.byteLength(TEXT); place += 1) places.add(place);
  for (let place = (seed * 11) % 37; place < bytes.length; place += 37) places.add(place);
  const ones = [...places].filter((place) => place > 0 && place < bytes.length).toSorted((a, b) => a - b);
  const pairs = ones.flatMap((first, index) => {
    const second = ones[(index * 7 + 3) % ones.length] ?? first;
    return second > first
      ? [
          [first, second],
          [first, Math.min(first + 1, second)],
        ]
      : [];
  });
  return [[], ...ones.map((place) => [place]), ...pairs.filter((_, index) => index % 5 === 0)];
}

async function splitAnywhere(each: Case, bytes: Buffer): Promise<void> {
  const splits = splitsOf(bytes, each.seed);
  await using play = await stage(each, {
    accounts: [{ answer: parted(each, bytes, splits) }],
    config: PATIENT,
  });
  const whole = await askParted(play, 0);
  const { text } = await expectWhole(play, whole);
  assert.equal(text, TEXT);
  if (each.client === each.upstream) assert.deepEqual(whole.body, bytes, "the upstream's bytes");
  let next = 1;
  const work = async (): Promise<void> => {
    for (let index = next++; index < splits.length; index = next++) {
      const reply = await askParted(play, index);
      const where = `parted at ${splits[index]?.join(" and ")} of ${bytes.length}`;
      assert.equal(lasting(reply), lasting(whole), where);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function askParted(play: Stage, index: number): Promise<Reply> {
  return play.ask({ headers: [[NUMBER, String(index)]] });
}

/** What does not change from one request to the next. */
function lasting(reply: Reply): string {
  const id = (reply.header("x-request-id") ?? "").replace("req_", "");
  return reply
    .text()
    .replaceAll(id, "ID")
    .replaceAll(/"created(_at)?":\d+/g, '"created":0');
}

async function byteByByte(each: Case, bytes: Buffer): Promise<void> {
  const headers = { "content-type": each.stream ? "text/event-stream" : "application/json" };
  await using play = await stage(each, {
    accounts: [{ answer: answerBody(bytes, { headers, chunking: 1 }) }],
  });
  const reply = await play.ask();
  const { text } = await expectWhole(play, reply);
  assert.equal(text, TEXT);
  if (each.client === each.upstream) assert.deepEqual(reply.body, bytes);
}

async function run(each: Case): Promise<void> {
  if (!each.stream) {
    const body = Buffer.from(JSON.stringify(textAnswer(each.upstream, TEXT)));
    await splitAnywhere(each, body);
    return byteByByte(each, body);
  }
  const plain = textStream(each.upstream, [TEXT]);
  for (const lineEnd of LINE_ENDS) await splitAnywhere(each, withLineEnds(plain, lineEnd));
  await splitAnywhere(each, Buffer.concat([BOM, plain]));
  await byteByByte(each, Buffer.concat([BOM, withLineEnds(plain, "\r\n")]));
}

export const ROWS: readonly Row[] = [
  { number: 21, title: "characters, mark and line ends, parted anywhere", run },
];
