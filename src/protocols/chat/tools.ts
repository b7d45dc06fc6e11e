// Tools and tool choice of Chat Completions, in both directions.

import { carriedTools } from "../../core/client-tools.ts";
import type { CustomTool, FunctionTool, Prompt, Tool, ToolChoice, ToolName } from "../../core/hub.ts";
import { arrayAt, booleanAt, isObject, objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { invalid, listField, objectField, unsupported } from "../../core/request-fields.ts";
import { isClientTool } from "../../core/tool-names.ts";
import type { ClientTool, ToolNames } from "../../core/tool-names.ts";

export function decodeTools(body: JsonObject): Tool[] {
  const tools = (listField(body, "tools") ?? []).map(decodeTool);
  const functions = (listField(body, "functions") ?? []).map((each) =>
    decodeFunction(isObject(each) ? each : {}, "functions"),
  );
  const search = objectField(body, "web_search_options");
  return [...tools, ...functions, ...(search === undefined ? [] : [decodeSearch(search)])];
}

function decodeTool(tool: Json): Tool {
  const type = stringAt(tool, "type");
  if (type === "function") return decodeFunction(objectAt(tool, "function") ?? {}, "tools");
  if (type === "custom") return decodeCustom(objectAt(tool, "custom") ?? {});
  throw unsupported("tools", `a tool of type ${JSON.stringify(type ?? null)}`);
}

function nameOf(holder: JsonObject | undefined, param: string): string {
  const name = stringAt(holder, "name");
  if (name === undefined || name === "") throw invalid(param, `${param}: a tool needs a name`);
  return name;
}

function decodeFunction(tool: JsonObject, param: string): FunctionTool {
  return {
    kind: "function",
    name: nameOf(tool, param),
    description: stringAt(tool, "description"),
    parameters: objectAt(tool, "parameters"),
    strict: booleanAt(tool, "strict"),
  };
}

function decodeCustom(tool: JsonObject): CustomTool {
  const grammar = objectAt(objectAt(tool, "format"), "grammar");
  return {
    kind: "custom",
    name: nameOf(tool, "tools"),
    description: stringAt(tool, "description"),
    grammar: grammar && {
      syntax: stringAt(grammar, "syntax") ?? "",
      definition: stringAt(grammar, "definition") ?? "",
    },
  };
}

function decodeSearch(options: JsonObject): Tool {
  return {
    kind: "search",
    allowedDomains: undefined,
    blockedDomains: undefined,
    location: objectAt(objectAt(options, "user_location"), "approximate"),
    contextSize: stringAt(options, "search_context_size"),
    maxUses: undefined,
  };
}

/** `tool_choice`, or the old `function_call`. */
export function decodeChoice(body: JsonObject): ToolChoice | undefined {
  const old = body["function_call"];
  if (body["tool_choice"] === undefined && isObject(old))
    return { type: "one", tool: { name: nameOf(old, "function_call") } };
  const choice = body["tool_choice"] ?? old;
  if (choice === undefined || choice === null) return undefined;
  if (choice === "auto" || choice === "none" || choice === "required") return { type: choice };
  switch (stringAt(choice, "type")) {
    case "function":
    case "custom":
      return { type: "one", tool: decodeChosen(choice) };
    case "allowed_tools": {
      const allowed = objectAt(choice, "allowed_tools");
      const tools = (arrayAt(allowed, "tools") ?? []).map(decodeChosen);
      return { type: "allowed", required: stringAt(allowed, "mode") === "required", tools };
    }
    default:
      throw invalid("tool_choice", `tool_choice ${JSON.stringify(choice)} is not known`);
  }
}

function decodeChosen(choice: Json): ToolName {
  return { name: nameOf(objectAt(choice, "function") ?? objectAt(choice, "custom"), "tool_choice") };
}

/** `tools`, `tool_choice` and `parallel_tool_calls` for a body; nothing at all without tools. */
export function encodeTools(prompt: Prompt, names: ToolNames): JsonObject {
  if (prompt.choice?.type === "hosted") throw unsupported("tool_choice", `the tool ${prompt.choice.name}`);
  const tools = carriedTools(prompt, isClientTool);
  if (tools.length === 0) return {};
  return {
    tools: tools.map((tool) => encodeTool(tool, names.wire(tool))),
    tool_choice: prompt.choice && encodeChoice(prompt.choice, names),
    parallel_tool_calls: prompt.parallelCalls,
  };
}

function encodeTool(tool: ClientTool, name: string): JsonObject {
  const { description } = tool;
  if (tool.kind === "function") {
    const { parameters, strict } = tool;
    return { type: "function", function: { name, description, parameters, strict } };
  }
  const format = tool.grammar && { type: "grammar", grammar: { ...tool.grammar } };
  return { type: "custom", custom: { name, description, format } };
}

function encodeChoice(choice: ToolChoice, names: ToolNames): Json {
  switch (choice.type) {
    case "one":
      return encodeChosen(choice.tool, names);
    case "allowed": {
      const tools = choice.tools.map((tool) => encodeChosen(tool, names));
      const mode = choice.required ? "required" : "auto";
      return { type: "allowed_tools", allowed_tools: { mode, tools } };
    }
    default:
      return choice.type;
  }
}

function encodeChosen(tool: ToolName, names: ToolNames): JsonObject {
  const { kind } = names.declared(tool);
  return { type: kind, [kind]: { name: names.wire(tool) } };
}
