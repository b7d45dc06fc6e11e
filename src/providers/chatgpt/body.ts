// A Responses request in the form that the ChatGPT backend takes. Prompt caches hang on the bytes, so every edit is a
// splice, and a request that needs none stays as it is.

import { bytesOf, indexIn, memberName } from "../../core/frame-peek.ts";
import { type Member, type Members, member } from "../../core/json.ts";
import { unsupported } from "../../core/request-fields.ts";
import { Edits } from "../../core/edits.ts";
import { HINTS, isIdleHint, REFUSED } from "./fields.ts";

/** Of ours, for requests without: the backend wants some, and what counts is in the conversation. */
const INSTRUCTIONS = "Follow the instructions in the conversation.";
const SEALED = "reasoning.encrypted_content";
const LOGPROBS = "message.output_text.logprobs";
const BREAKPOINT = "prompt_cache_breakpoint";
/** Ids of items that a Responses API has stored; nothing is stored here, and what is looked up is not found. */
const STORED_ID = /^(rs|msg|fc|fco|ctc|ctco)_/;
const REFERENCE_KEYS: ReadonlySet<string> = new Set(["id", "type", BREAKPOINT]);
const SEARCH_PREVIEW = /^web_search_preview(_\d{4}_\d\d_\d\d)?$/;

const QUOTE = 0x22;
const BREAKPOINT_MEMBER = memberName(BREAKPOINT);
const AUDIO_TYPE = bytesOf('"input_audio"');

export interface Manner {
  /** Names the conversation, if the request does not: the backend finds its prompt cache by it. */
  readonly conversation: string;
  /** Codex's own request, made for this very backend: its items and its instructions are as they should be. */
  readonly codex: boolean;
  /** What the client calls a field. */
  readonly nameOf: (field: string) => string;
}

export interface Rewritten {
  readonly body: Uint8Array;
  /** Sorted names of hints that went. */
  readonly dropped: readonly string[];
}

/** @throws GatewayError `unsupported_field` */
export function forBackend(body: Uint8Array, members: Members, manner: Manner): Rewritten {
  const edits = new Edits(body);
  const gone = unwanted(edits, members, manner);
  const added: string[] = [];
  const want = (key: string, value: string | boolean): void => {
    const present = member(members, key);
    if (present === undefined) added.push(`${JSON.stringify(key)}:${JSON.stringify(value)}`);
    else if (edits.value(present) !== value) edits.replace(present, value);
  };
  const stored = member(members, "store");
  if (stored !== undefined && edits.value(stored) === true) edits.drop("store");
  want("stream", true);
  want("store", false);
  if (!manner.codex && isBlank(edits, members, "instructions")) want("instructions", INSTRUCTIONS);
  if (isBlank(edits, members, "prompt_cache_key")) want("prompt_cache_key", manner.conversation);
  added.push(...askForSealed(edits, members, manner));
  soften(edits, members, manner);
  editTools(edits, members);
  editInput(edits, members, manner);
  edits.remove(members, members.list, gone);
  edits.append(members, members.list.length - gone.size, added);
  return edits.done();
}

/** The top-level members that go. */
function unwanted(edits: Edits, members: Members, { nameOf }: Manner): Set<Member> {
  const gone = new Set<Member>();
  for (const each of members.list) {
    const { key } = each;
    const refused = REFUSED.get(key);
    if (refused === undefined && !HINTS.has(key) && key !== "service_tier") continue;
    const value = edits.value(each);
    if (refused !== undefined && value !== null && !refused.isIdle(value))
      throw unsupported(nameOf(key), refused.what);
    if (key === "service_tier" && value === "priority") continue;
    gone.add(each);
    if (refused === undefined && !isIdleHint(key, value)) edits.drop(nameOf(key));
  }
  return gone;
}

/** Whether a text is missing: null and blank ones say nothing either. A value of another type is upstream's to judge. */
function isBlank(edits: Edits, members: Members, key: string): boolean {
  const found = member(members, key);
  if (found === undefined) return true;
  const value = edits.value(found);
  return value === null || (typeof value === "string" && value.trim() === "");
}

/** Reasoning has to come sealed, since it is not kept there. Returns the member to add. */
function askForSealed(edits: Edits, members: Members, { nameOf }: Manner): string[] {
  const include = member(members, "include");
  const list = `["${SEALED}"]`;
  if (include === undefined) return [`"include":${list}`];
  const value = edits.value(include);
  if (value === null) edits.replace(include, [SEALED]);
  if (!Array.isArray(value)) return [];
  if (value.includes(LOGPROBS)) throw unsupported(nameOf("include"), "logprobs");
  if (!value.includes(SEALED)) edits.append(include, value.length, [`"${SEALED}"`]);
  return [];
}

/** The least effort has another name there. */
function soften(edits: Edits, members: Members, { nameOf }: Manner): void {
  const reasoning = edits.fields(member(members, "reasoning"));
  const effort = reasoning && member(reasoning, "effort");
  if (effort === undefined || edits.value(effort) !== "minimal") return;
  edits.replace(effort, "low");
  edits.drop(nameOf("reasoning.effort"));
}

function editTools(edits: Edits, members: Members): void {
  const choice = edits.fields(member(members, "tool_choice"));
  const tools = edits.elements(member(members, "tools"));
  const allowed = edits.elements(choice && member(choice, "tools"));
  for (const tool of [choice, ...[...tools, ...allowed].map((span) => edits.fields(span))]) {
    if (tool === undefined) continue;
    const type = member(tool, "type");
    if (type !== undefined && SEARCH_PREVIEW.test(edits.text(tool, "type") ?? ""))
      edits.replace(type, "web_search");
    if (edits.removeKeys(tool, isBreakpoint)) edits.drop(`tools.${BREAKPOINT}`);
  }
}

function editInput(edits: Edits, members: Members, manner: Manner): void {
  const { bytes } = edits;
  const input = member(members, "input");
  if (input === undefined) return;
  if (bytes[input.start] === QUOTE) {
    edits.insert(input.start, '[{"type":"message","role":"user","content":[{"type":"input_text","text":');
    edits.insert(input.end, "}]}]");
    return;
  }
  const items = edits.elements(input);
  const text = bytes.subarray(input.start, input.end);
  const looksIn = indexIn(text, BREAKPOINT_MEMBER, 0) >= 0 || indexIn(text, AUDIO_TYPE, 0) >= 0;
  for (const span of items) {
    const item = edits.fields(span);
    if (item === undefined) continue;
    // Nothing is stored there, so the item cannot be restored.
    if (isReference(edits, item)) throw unsupported(manner.nameOf("input"), "an item_reference");
    editItem(edits, item, manner);
    if (looksIn) editParts(edits, item, manner);
  }
}

/** Points at an item that another service has stored. It need not say its type. */
function isReference(edits: Edits, item: Members): boolean {
  const type = edits.text(item, "type");
  if (type !== undefined) return type === "item_reference";
  return member(item, "id") !== undefined && item.list.every(({ key }) => REFERENCE_KEYS.has(key));
}

function editItem(edits: Edits, item: Members, { codex }: Manner): void {
  const role = member(item, "role");
  if (role !== undefined && edits.text(item, "role") === "system") edits.replace(role, "developer");
  const isStored = !codex && STORED_ID.test(edits.text(item, "id") ?? "");
  edits.removeKeys(item, (each) => {
    if (each.key === "id") return isStored;
    if (!isBreakpoint(each)) return false;
    edits.drop(`input.${BREAKPOINT}`);
    return true;
  });
}

/** What a message or a tool's output consists of. */
function editParts(edits: Edits, item: Members, { nameOf }: Manner): void {
  for (const key of ["content", "output"]) {
    for (const span of edits.elements(member(item, key))) {
      const part = edits.fields(span);
      if (part === undefined) continue;
      if (edits.text(part, "type") === "input_audio") throw unsupported(nameOf("input"), "audio input");
      if (edits.removeKeys(part, isBreakpoint)) edits.drop(`input.${BREAKPOINT}`);
    }
  }
}

function isBreakpoint({ key }: Member): boolean {
  return key === BREAKPOINT;
}
