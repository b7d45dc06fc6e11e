// The body an account is sent: the client's own bytes with the few edits the configuration asks for, or its
// translation when the account does not speak the client's protocol.

import type { Envelopes } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { Ask, Candidate } from "../core/exchange.ts";
import { lostWishes } from "../core/fields.ts";
import type { Prompt } from "../core/hub.ts";
import {
  elementsAt,
  fillIn,
  isObject,
  type Members,
  member,
  parseJson,
  scanObject,
  type Splice,
  splice,
  stringAt,
  valueAt,
} from "../core/json.ts";
import type { Codec, Edited, EncodeTarget } from "../core/ports.ts";
import { opened } from "../core/reasoning.ts";
import { translatorOf } from "./convert.ts";
import type { Settings } from "./deps.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

type BodySettings = Pick<Settings, "defaultInstructions" | "extraParams">;

/** The ask in the hub's form. @throws GatewayError `invalid_request`, `unsupported_field` */
export function promptOf(ask: Ask, client: Codec, envelopes: Envelopes): Prompt {
  const body = parseJson(decoder.decode(ask.body));
  if (!isObject(body)) throw new GatewayError("invalid_request", "the body is not a JSON object");
  return opened(translatorOf(client).decodeRequest(body), envelopes);
}

/** @throws GatewayError `unsupported_field` */
export function translatedBody(prompt: Prompt, client: Codec, upstream: Codec, target: EncodeTarget): Edited {
  const translator = translatorOf(upstream);
  const sent = translator.encodeRequest(prompt, target);
  const lost = lostWishes(prompt, translatorOf(client).fields, sent, translator.writes);
  return { body: encoder.encode(JSON.stringify(sent)), dropped: [...prompt.dropped, ...lost] };
}

/** Model name, default instructions and extra parameters, spliced into the bytes. */
export function edited(body: Uint8Array, ask: Ask, candidate: Candidate, settings: BodySettings): Uint8Array {
  const members = body === ask.body ? ask.members : scanObject(body);
  const splices: Splice[] = [];
  const model = member(members, "model");
  // What the client's own body says is known already.
  const named = body === ask.body ? ask.model : model && valueAt(body, model);
  if (model !== undefined && named !== candidate.model) {
    splices.push({ start: model.start, end: model.end, text: JSON.stringify(candidate.model) });
  }
  if (ask.errand !== undefined) return splice(body, splices);
  const names = [candidate.model, ask.models[candidate.rank] ?? ask.model, ask.model, "*"];
  const instructions = firstOf(settings.defaultInstructions, names);
  const extra = firstOf(settings.extraParams, names) ?? {};
  const wanted = instructions !== undefined && candidate.account.platform === "openai";
  const asParam = wanted && candidate.protocol === "responses" && !hasInstructions(body, members);
  if (wanted && candidate.protocol === "chat") splices.push(...leadingSystem(body, members, instructions));
  splices.push(...fillIn(body, members, asParam ? { instructions, ...extra } : extra));
  return splice(body, splices);
}

function firstOf<T>(table: Readonly<Record<string, T>>, names: readonly string[]): T | undefined {
  const name = names.find((each) => Object.hasOwn(table, each));
  return name === undefined ? undefined : table[name];
}

/** A Responses request brings instructions in the field, or as leading system or developer items. */
function hasInstructions(body: Uint8Array, members: Members): boolean {
  return member(members, "instructions") !== undefined || hasSystem(body, members, "input");
}

function hasSystem(body: Uint8Array, members: Members, list: string): boolean {
  const turns = member(members, list);
  if (turns === undefined) return false;
  for (const span of elementsAt(body, turns.start)) {
    const role = stringAt(valueAt(body, span), "role");
    if (role === "system" || role === "developer") return true;
  }
  return false;
}

function leadingSystem(body: Uint8Array, members: Members, text: string): Splice[] {
  const messages = member(members, "messages");
  if (messages === undefined || body[messages.start] !== 0x5b || hasSystem(body, members, "messages"))
    return [];
  const at = messages.start + 1;
  const empty = elementsAt(body, messages.start).next().done === true;
  const message = JSON.stringify({ role: "system", content: text });
  return [{ start: at, end: at, text: empty ? message : `${message},` }];
}
