// A sound request as its bytes, for rows that send it otherwise than any client would.
import { CLIENT_KEY } from "../support/gateway-config.ts";
import { ask } from "../support/made-streams.ts";
import { PATHS } from "../support/samples.ts";
import { modelOf, type Case } from "./row.ts";

const KEY = `x-api-key: ${CLIENT_KEY}\r\n`;

/** A sound request, in parts. */
export interface Wire {
  readonly body: string;
  readonly start: string;
  readonly length: string;
}

export function wireOf(each: Case): Wire {
  const body = JSON.stringify(ask(each.client, { ...each, model: modelOf(each) }));
  const start = `POST ${PATHS[each.client]} HTTP/1.1\r\nhost: gateway\r\n${KEY}`;
  return { body, start, length: `content-length: ${body.length}\r\n` };
}
