// Names and ids of tools on the wire. Both are pure functions of the request, because the same conversation
// is translated again every turn and has to give the same bytes.

import { createHash } from "node:crypto";
import { GatewayError } from "./errors.ts";
import type { CustomTool, FunctionTool, Tool, ToolName } from "./hub.ts";

const MAX_LENGTH = 64;
const LEGAL = /^[A-Za-z0-9_-]{1,64}$/;

/** First 8 hex digits of SHA-256. */
function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

/** A name or id of at most 64 legal characters that stands for `original`, the same one every time. */
function shortened(text: string, original: string): string {
  return `${text.replace(/[^A-Za-z0-9_-]/g, "").slice(0, MAX_LENGTH - 9)}_${digest(original)}`;
}

/** An id where only the length is limited. Both halves of a call come out the same without a table. */
export function shortId(id: string): string {
  return id.length <= MAX_LENGTH ? id : shortened(id, id);
}

/** An id for a call that came without one. */
export function inventedId(answer: string, index: number): string {
  return `call_${digest(`${answer}:${index}`)}`;
}

export type ClientTool = FunctionTool | CustomTool;

export function isClientTool(tool: Tool): tool is ClientTool {
  return tool.kind === "function" || tool.kind === "custom";
}

function keyOf({ namespace, name }: ToolName): string {
  return namespace === undefined ? name : `${namespace}\u0000${name}`;
}

function joined({ namespace, name }: ToolName): string {
  if (namespace === undefined) return name;
  return namespace.endsWith("__") ? namespace + name : `${namespace}__${name}`;
}

/** The flat, legal names under which the tools of one request go to an upstream, and the way back. */
export class ToolNames {
  readonly #wire = new Map<string, string>();
  readonly #tools = new Map<string, ClientTool>();

  /** @throws GatewayError `invalid_request` for two tools of one name */
  constructor(tools: readonly Tool[]) {
    const own = tools.filter(isClientTool);
    // Plain names are what users see and go first; a namespaced one gives way.
    for (const tool of own) if (tool.namespace === undefined) this.#add(tool);
    for (const tool of own) if (tool.namespace !== undefined) this.#add(tool);
  }

  #add(tool: ClientTool): void {
    const key = keyOf(tool);
    if (this.#wire.has(key))
      throw new GatewayError("invalid_request", `two tools are called ${tool.name}`, { param: "tools" });
    const full = joined(tool);
    const name = LEGAL.test(full) && !this.#tools.has(full) ? full : shortened(full, key);
    this.#wire.set(key, name);
    this.#tools.set(name, tool);
  }

  /** The name to send for a tool, also for one that only the history knows. */
  wire(tool: ToolName): string {
    const known = this.#wire.get(keyOf(tool));
    if (known !== undefined) return known;
    const full = joined(tool);
    return LEGAL.test(full) ? full : shortened(full, keyOf(tool));
  }

  /** The tool that the client declared, by the name an upstream uses. */
  tool(wire: string): ClientTool | undefined {
    return this.#tools.get(wire);
  }

  /** @throws GatewayError `invalid_request` for a tool the request does not declare */
  declared(tool: ToolName): ClientTool {
    const found = this.#tools.get(this.#wire.get(keyOf(tool)) ?? "");
    if (found !== undefined) return found;
    const message = `tool_choice names the tool ${tool.name}, which is not among the tools`;
    throw new GatewayError("invalid_request", message, { param: "tool_choice" });
  }
}
