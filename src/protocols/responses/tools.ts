// Tools and tool choice of Responses, in both directions.

import { carriedTools } from "../../core/client-tools.ts";
import type { Prompt, SearchTool, Tool, ToolChoice, ToolName } from "../../core/hub.ts";
import { arrayAt, booleanAt, isObject, objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { invalid, unsupported } from "../../core/request-fields.ts";
import { domainsAt, userLocation } from "../../core/search-fields.ts";
import { isClientTool } from "../../core/tool-names.ts";
import type { ClientTool, ToolNames } from "../../core/tool-names.ts";
import { decodeBuiltin, isBuiltin } from "./builtins.ts";

/** A tool may be several: a namespace holds its own. */
export function decodeTool(tool: Json): Tool[] {
  if (!isObject(tool)) throw invalid("tools", "a tool must be an object");
  const type = stringAt(tool, "type") ?? "";
  if (type === "function" || type === "custom") return [decodeOwn(tool, undefined)];
  if (type === "namespace") return decodeNamespace(tool);
  const builtin = decodeBuiltin(tool);
  if (builtin !== undefined) return [builtin];
  if (type.startsWith("web_search")) return [decodeSearch(tool)];
  return [{ kind: "hosted", name: type, native: { protocol: "responses", value: tool } }];
}

function nameOf(holder: Json | undefined, param: string): string {
  const name = stringAt(holder, "name");
  if (name === undefined || name === "") throw invalid(param, `${param}: a tool needs a name`);
  return name;
}

/** The namespace's description goes with its first tool, so that it is not lost where there are no namespaces. */
function decodeNamespace(tool: JsonObject): Tool[] {
  const namespace = nameOf(tool, "tools");
  const about = stringAt(tool, "description");
  return (arrayAt(tool, "tools") ?? []).filter(isObject).map((inner, at) => {
    const own = decodeOwn(inner, namespace);
    if (at > 0 || about === undefined || about === "") return own;
    const texts = own.description === undefined ? [about] : [about, own.description];
    return { ...own, description: texts.join("\n\n") };
  });
}

function decodeOwn(tool: JsonObject, namespace: string | undefined): ClientTool {
  const named = { name: nameOf(tool, "tools"), namespace, description: stringAt(tool, "description") };
  if (tool["type"] !== "custom") {
    const [parameters, strict] = [objectAt(tool, "parameters"), booleanAt(tool, "strict")];
    return { kind: "function", ...named, parameters, strict };
  }
  const format = objectAt(tool, "format");
  const definition = stringAt(format, "definition");
  const grammar =
    definition === undefined ? undefined : { syntax: stringAt(format, "syntax") ?? "lark", definition };
  return { kind: "custom", ...named, grammar };
}

function decodeSearch(tool: JsonObject): SearchTool {
  return {
    kind: "search",
    allowedDomains: domainsAt(tool["filters"], "allowed_domains"),
    blockedDomains: domainsAt(tool["filters"], "blocked_domains"),
    location: userLocation(tool),
    contextSize: stringAt(tool, "search_context_size"),
    maxUses: undefined,
  };
}

export function decodeChoice(choice: Json | undefined): ToolChoice | undefined {
  if (choice === undefined || choice === null) return undefined;
  if (choice === "auto" || choice === "none" || choice === "required") return { type: choice };
  const type = stringAt(choice, "type");
  if (type === undefined) throw invalid("tool_choice", `tool_choice ${JSON.stringify(choice)} is not known`);
  if (type === "allowed_tools") {
    const tools = (arrayAt(choice, "tools") ?? []).flatMap(decodeChosen);
    if (tools.length === 0) throw unsupported("tool_choice", "a choice among none but hosted tools");
    return { type: "allowed", required: stringAt(choice, "mode") === "required", tools };
  }
  const [tool] = decodeChosen(choice);
  return tool === undefined ? { type: "hosted", name: type } : { type: "one", tool };
}

/** The client's tool that is meant; none for a hosted one. */
function decodeChosen(choice: Json): ToolName[] {
  const type = stringAt(choice, "type") ?? "";
  if (type === "function" || type === "custom")
    return [{ name: nameOf(choice, "tool_choice"), namespace: stringAt(choice, "namespace") }];
  return isBuiltin(type) ? [{ name: type }] : [];
}

/** `tools`, `tool_choice` and `parallel_tool_calls` for a body; nothing at all without tools. */
export function encodeTools(prompt: Prompt, names: ToolNames): JsonObject {
  const { choice, parallelCalls } = prompt;
  if (choice?.type === "hosted") throw unsupported("tool_choice", `the tool ${choice.name}`);
  const tools = carriedTools(prompt, isCarried);
  if (tools.length === 0) return {};
  return {
    tools: tools.map((tool) => encodeTool(tool, names)),
    tool_choice: choice && encodeChoice(choice, names),
    parallel_tool_calls: parallelCalls,
  };
}

function isCarried(tool: Tool): tool is ClientTool | SearchTool {
  return isClientTool(tool) || tool.kind === "search";
}

function encodeTool(tool: ClientTool | SearchTool, names: ToolNames): JsonObject {
  if (tool.kind === "search") return encodeSearch(tool);
  const { description } = tool;
  const name = names.wire(tool);
  if (tool.kind === "custom")
    return {
      type: "custom",
      name,
      description,
      format: tool.grammar && { type: "grammar", ...tool.grammar },
    };
  const parameters = tool.parameters ?? { type: "object", properties: {} };
  // Left out, the API would try to make the schema strict.
  return { type: "function", name, description, parameters, strict: tool.strict ?? false };
}

function encodeSearch(tool: SearchTool): JsonObject {
  if (tool.blockedDomains !== undefined) throw unsupported("tools", "a search with blocked domains");
  return {
    type: "web_search",
    filters: tool.allowedDomains && { allowed_domains: tool.allowedDomains },
    user_location: tool.location && { type: "approximate", ...tool.location },
    search_context_size: tool.contextSize,
  };
}

function encodeChoice(choice: ToolChoice, names: ToolNames): Json {
  const chosen = (tool: ToolName): JsonObject => ({
    type: names.declared(tool).kind,
    name: names.wire(tool),
  });
  if (choice.type === "one") return chosen(choice.tool);
  if (choice.type !== "allowed") return choice.type;
  const mode = choice.required ? "required" : "auto";
  return { type: "allowed_tools", mode, tools: choice.tools.map(chosen) };
}
