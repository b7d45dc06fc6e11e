// Sealed reasoning between protocols: what may be shown to a client, what comes back from it, and which account may
// be given it. It goes back to whom it came from, or nowhere.

import type { Protocol } from "./account.ts";
import type { Envelopes } from "./envelope.ts";
import type { Item, Prompt, ReasoningItem, StreamEvent } from "./hub.ts";

/** What a client's protocol calls the part of a request that held reasoning. */
const NAMES: Readonly<Record<Protocol, string>> = {
  messages: "thinking",
  responses: "input.reasoning",
  chat: "reasoning_content",
};

export function reasoningField(protocol: Protocol): string {
  return NAMES[protocol];
}

/** Puts what an upstream has sealed into envelopes, event by event. */
export function enclosing(
  envelopes: Envelopes,
  issuer: string,
  prompt: Prompt,
): (event: StreamEvent) => StreamEvent {
  let parts: string[] | undefined;
  // The envelope comes back beside the text that the client was shown.
  const shown = prompt.reasoning.summary !== "none";
  return (event) => {
    switch (event.type) {
      case "block_open":
        parts = event.block.type === "reasoning" ? [] : undefined;
        break;
      case "delta":
        if (parts !== undefined && shown) parts.push((parts.pop() ?? "") + event.text);
        break;
      case "part":
        if (shown) parts?.push("");
        break;
      case "seal":
        return { ...event, seal: envelopes.close({ ...event.seal, issuer }, parts ?? []) };
      default:
    }
    return event;
  };
}

/** A prompt with its envelopes opened. What cannot be opened is left out, and named. */
export function opened(prompt: Prompt, envelopes: Envelopes): Prompt {
  if (!prompt.items.some(isSealed)) return prompt;
  const items = prompt.items.flatMap((item): Item[] => (isSealed(item) ? openItem(item, envelopes) : [item]));
  const lost = items.length < prompt.items.length;
  return { ...prompt, items, dropped: lost ? named(prompt) : prompt.dropped };
}

export function isSealed(item: Item): item is ReasoningItem {
  return item.type === "reasoning" && item.seals.length > 0;
}

function openItem(item: ReasoningItem, envelopes: Envelopes): Item[] {
  const { parts } = item;
  const found = item.seals.flatMap((seal) => envelopes.open(seal, parts) ?? []);
  const [first] = found;
  return first === undefined ? [] : [{ ...item, parts: first.parts, seals: found.map(({ seal }) => seal) }];
}

/** The prompt for one account: without reasoning that another has sealed, or that is no part of its protocol. */
export function reasoningFor(prompt: Prompt, protocol: Protocol, issuer: string): Prompt {
  const fits = (item: Item): boolean => {
    if (item.type !== "reasoning") return true;
    // Servers that show their reasoning and do not seal it want it back within a tool loop.
    if (item.seals.length === 0) return protocol === "chat";
    return item.seals.some((seal) => seal.protocol === protocol && seal.issuer === issuer);
  };
  if (prompt.items.every(fits)) return prompt;
  return { ...prompt, items: prompt.items.filter(fits), dropped: named(prompt) };
}

function named({ protocol, dropped }: Prompt): readonly string[] {
  const name = reasoningField(protocol);
  return dropped.includes(name) ? dropped : [...dropped, name];
}
