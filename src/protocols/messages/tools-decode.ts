// Tools and tool choice of a Messages request, read into the hub.

import type { FunctionTool, SearchTool, Tool, ToolChoice } from "../../core/hub.ts";
import { arrayAt, booleanAt, isObject, numberAt, objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { invalid, unsupported } from "../../core/request-fields.ts";
import { domainsAt, userLocation } from "../../core/search-fields.ts";
import { cacheOf } from "./content.ts";
import { typedTool } from "./typed-tools.ts";

const SEARCH = "web_search";

export function decodeTool(tool: Json): Tool {
  if (!isObject(tool)) throw invalid("tools", "a tool must be an object");
  const type = stringAt(tool, "type") ?? "custom";
  if (type === "custom") return decodeClientTool(tool);
  if (type.startsWith(`${SEARCH}_`)) return decodeSearch(tool);
  return (
    typedTool(type, tool) ?? { kind: "hosted", name: type, native: { protocol: "messages", value: tool } }
  );
}

function decodeClientTool(tool: JsonObject): FunctionTool {
  const name = stringAt(tool, "name");
  if (name === undefined || name === "") throw invalid("tools", "tools: a tool needs a name");
  const callers = arrayAt(tool, "allowed_callers");
  if (callers !== undefined && !callers.includes("direct"))
    throw unsupported("tools", `the tool ${name}, which only other tools may call,`);
  return {
    kind: "function",
    name,
    description: stringAt(tool, "description"),
    parameters: objectAt(tool, "input_schema"),
    strict: booleanAt(tool, "strict"),
    cache: cacheOf(tool),
  };
}

function decodeSearch(tool: JsonObject): SearchTool {
  return {
    kind: "search",
    allowedDomains: domainsAt(tool, "allowed_domains"),
    blockedDomains: domainsAt(tool, "blocked_domains"),
    location: userLocation(tool),
    contextSize: undefined,
    maxUses: numberAt(tool, "max_uses"),
  };
}

interface DecodedChoice {
  readonly choice: ToolChoice | undefined;
  readonly parallelCalls: boolean | undefined;
}

/** @param tools of the request: the choice may name one that the provider runs */
export function decodeChoice(choice: JsonObject | undefined, tools: readonly Tool[]): DecodedChoice {
  if (choice === undefined) return { choice: undefined, parallelCalls: undefined };
  const parallelCalls = choice["disable_parallel_tool_use"] === true ? false : undefined;
  return { choice: choiceOf(choice, tools), parallelCalls };
}

function choiceOf(choice: JsonObject, tools: readonly Tool[]): ToolChoice {
  const { type } = choice;
  switch (type) {
    case "auto":
    case "none":
      return { type };
    case "any":
      return { type: "required" };
    case "tool": {
      const name = stringAt(choice, "name");
      if (name === undefined) throw invalid("tool_choice", "tool_choice.name must be a string");
      const own = tools.some((tool) => tool.kind === "function" && tool.name === name);
      const hosted = tools.some((tool) => (tool.kind === "search" ? SEARCH : nameOf(tool)) === name);
      return !own && hosted ? { type: "hosted", name } : { type: "one", tool: { name } };
    }
    default:
      throw invalid("tool_choice", `tool_choice ${JSON.stringify(choice)} is not known`);
  }
}

function nameOf(tool: Exclude<Tool, SearchTool>): string | undefined {
  return tool.kind === "hosted" ? stringAt(tool.native.value, "name") : tool.name;
}
