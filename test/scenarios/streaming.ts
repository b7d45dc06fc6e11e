// A streamed answer whose pieces, and the time between them, are the test's own.
import { headText } from "../support/answers.ts";
import type { Answer, UpstreamRequest } from "../support/upstream.ts";

export type Send = (bytes: Uint8Array) => Promise<void>;

/** Sends the head, then what `script` sends, a chunk for each piece, then the proper end. */
export function streaming(script: (send: Send, request: UpstreamRequest) => Promise<void>): Answer {
  return async (request, connection) => {
    const headers = { "content-type": "text/event-stream", "transfer-encoding": "chunked" };
    await connection.write(headText(200, headers));
    const send: Send = (bytes) =>
      connection.write(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, CRLF]));
    await Promise.race([script(send, request), connection.closed]);
    await connection.finish("0\r\n\r\n");
  };
}

const CRLF = Buffer.from("\r\n");
