// Calls and their results, as strict protocols want them: every call answered, right behind the turn that made
// it, in the order of the calls.

import { GatewayError } from "./errors.ts";
import type { Block, CallItem, Item, ResultItem } from "./hub.ts";

/** How a failed result shows where a protocol has no flag for it; the model acts on it. */
const FAILED_PREFIX = "[tool error] ";
const NO_RESULT = "no result was recorded for this call";

/**
 * The items with each run of calls followed by its results. A call without one gets a failed result, because
 * a client may have been stopped in between; a result without a call is the client's mistake.
 * @throws GatewayError `invalid_request`
 */
export function settleCalls(items: readonly Item[], param: string): Item[] {
  const results = matchResults(items, param);
  const settled: Item[] = [];
  let open: CallItem[] = [];
  const answer = (): void => {
    for (const call of open) settled.push(results.get(call) ?? missing(call));
    open = [];
  };
  for (const item of items) {
    if (item.type === "call") open.push(item);
    else if (!isAnswering(item)) answer();
    if (item.type !== "result") settled.push(item);
  }
  answer();
  return settled;
}

/** Whether the item belongs to the turn of the model that makes the calls. */
function isAnswering(item: Item): boolean {
  if (item.type === "message") return item.role === "assistant";
  return item.type === "reasoning" || item.type === "native";
}

/** The result of each call. Ids may come again in later turns: a result answers the first open call of its id. */
function matchResults(items: readonly Item[], param: string): Map<CallItem, ResultItem> {
  const results = new Map<CallItem, ResultItem>();
  const open = new Map<string, CallItem[]>();
  for (const item of items) {
    if (item.type === "call") open.set(item.id, [...(open.get(item.id) ?? []), item]);
    if (item.type !== "result") continue;
    const calls = open.get(item.callId);
    const call = calls?.shift();
    if (call !== undefined) results.set(call, item);
    else {
      const why = calls === undefined ? "answers no tool call" : "answers a tool call a second time";
      throw new GatewayError("invalid_request", `the result for ${item.callId} ${why}`, { param });
    }
  }
  return results;
}

function missing(call: CallItem): ResultItem {
  return { type: "result", callId: call.id, blocks: [{ type: "text", text: NO_RESULT }], failed: true };
}

/** A result's blocks for a protocol that cannot say that a call failed. */
export function toldBlocks({ blocks, failed }: ResultItem): readonly Block[] {
  if (!failed) return blocks;
  const [first, ...rest] = blocks;
  if (first?.type === "text") return [{ ...first, text: FAILED_PREFIX + first.text }, ...rest];
  return [{ type: "text", text: FAILED_PREFIX }, ...blocks];
}
