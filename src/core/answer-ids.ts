// Ids of an answer in the client's protocol, made from the upstream's: the same answer has the same ids.

/** What tells the upstream's answer from others: its id without the prefix that names its protocol. */
export function answerKey(upstreamId: string, requestId: string): string {
  const id = upstreamId.replace(/^(chatcmpl-|resp_|msg_)/, "").replace(/[^A-Za-z0-9_-]/g, "");
  return id === "" ? requestId : id;
}
