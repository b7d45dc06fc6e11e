// The cells of the matrix: each protocol's client over each protocol's upstream, streaming and not.
import { CODECS } from "../../src/protocols/index.ts";
import { account } from "../support/gateway-config.ts";
import type { Protocol } from "../support/oracle.ts";
import type { Dialect } from "./dialect.ts";
import { chat } from "./dialect-chat.ts";
import { messages } from "./dialect-messages.ts";
import { responses } from "./dialect-responses.ts";

export const DIALECTS: Readonly<Record<Protocol, Dialect>> = { messages, responses, chat };
/** From the table of protocols: a new one has no dialect yet, and fails here. */
const PROTOCOLS = Object.values(CODECS).map(({ wire }) => wire.protocol);
/** Models that think by effort, take images and documents, and keep to a schema. */
export const MODELS: Readonly<Record<Protocol, string>> = {
  messages: "claude-opus-5",
  responses: "gpt-5-responses",
  chat: "gpt-5-chat",
};

export interface Cell {
  readonly client: Protocol;
  readonly upstream: Protocol;
  readonly stream: boolean;
}

export const CELLS: readonly Cell[] = PROTOCOLS.flatMap((client) =>
  PROTOCOLS.flatMap((upstream) => [true, false].map((stream) => ({ client, upstream, stream }))),
);

export function accountFor({ upstream }: Cell, url: string): ReturnType<typeof account> {
  const platform = upstream === "messages" ? "anthropic" : "openai";
  return account("only", url, { platform, more: { apis: [upstream], models: [MODELS[upstream]] } });
}
