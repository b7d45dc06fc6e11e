// Says of the bytes a client received what a strict reader of the protocol would: finished, failed, or cut.
import { judgeChatAnswer, judgeChatStream } from "./oracle-chat.ts";
import { judgeMessagesAnswer, judgeMessagesStream } from "./oracle-messages.ts";
import { judgeResponsesAnswer, judgeResponsesStream } from "./oracle-responses.ts";
import { parseJson } from "./json-pick.ts";
import type { Reply } from "./client.ts";
import type { Verdict } from "./oracle-verdict.ts";

export type { AnswerError, ToolCall, Verdict } from "./oracle-verdict.ts";

export type Protocol = "messages" | "responses" | "chat";

const STREAMS = {
  messages: judgeMessagesStream,
  responses: judgeResponsesStream,
  chat: judgeChatStream,
} as const;
const ANSWERS = {
  messages: judgeMessagesAnswer,
  responses: judgeResponsesAnswer,
  chat: judgeChatAnswer,
} as const;

export function judgeStream(protocol: Protocol, bytes: Uint8Array): Verdict {
  return STREAMS[protocol](bytes);
}

export function judgeAnswer(protocol: Protocol, body: Uint8Array | string): Verdict {
  const text = typeof body === "string" ? body : Buffer.from(body).toString("utf8");
  const value = parseJson(text);
  const verdict = ANSWERS[protocol](value);
  return value === undefined
    ? { ...verdict, complete: false, problems: [...verdict.problems, "body is no JSON"] }
    : verdict;
}

/** By the content type of the answer. A body that its own framing did not finish is never complete. */
export function judge(protocol: Protocol, reply: Reply): Verdict {
  const streamed = reply.header("content-type")?.startsWith("text/event-stream") === true;
  const verdict = streamed ? judgeStream(protocol, reply.body) : judgeAnswer(protocol, reply.body);
  if (streamed || reply.end === "complete") return verdict;
  return { ...verdict, complete: false, problems: [...verdict.problems, `body ended by ${reply.end}`] };
}
