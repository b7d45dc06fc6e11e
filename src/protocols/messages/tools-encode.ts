// Tools and tool choice of the hub, written for a Messages request.

import { carriedTools } from "../../core/client-tools.ts";
import type { HostedTool, Prompt, SearchTool, Tool, ToolChoice } from "../../core/hub.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { unsupported } from "../../core/request-fields.ts";
import { isClientTool } from "../../core/tool-names.ts";
import type { ClientTool, ToolNames } from "../../core/tool-names.ts";
import { GatewayError } from "../../core/errors.ts";
import { marked } from "./content.ts";
import type { ModelTraits } from "./models.ts";
import { strictSchema } from "./schema.ts";

type Carried = ClientTool | SearchTool | HostedTool;

/** The oldest type of the search, which every model takes that searches at all. */
const SEARCH = { type: "web_search_20250305", name: "web_search" };

/** `tools` and `tool_choice` for a body; nothing at all without tools. @throws GatewayError `unsupported_field` */
export function encodeTools(prompt: Prompt, names: ToolNames, traits: ModelTraits): JsonObject {
  const { choice } = prompt;
  const tools = allowed(carriedTools(prompt, isCarried), choice, names);
  if (choice?.type === "hosted" && !tools.some((tool) => isMeant(tool, choice.name)))
    throw unsupported("tool_choice", `the tool ${choice.name}`);
  if (tools.length === 0) return {};
  if (isForced(choice) && !traits.forcing)
    throw unsupported("tool_choice", "a forced tool call, which this model refuses,");
  return {
    tools: tools.map((tool) => encodeTool(tool, names, traits)),
    tool_choice: encodeChoice(prompt, names),
  };
}

/** Whether the answer has to call a tool. */
export function isForced(choice: ToolChoice | undefined): boolean {
  if (choice?.type === "allowed") return choice.required;
  return choice?.type === "required" || choice?.type === "one" || choice?.type === "hosted";
}

function isCarried(tool: Tool): tool is Carried {
  return isClientTool(tool) || tool.kind === "search" || tool.native.protocol === "messages";
}

/** Whether a choice of a tool that the provider runs means this one; another protocol names it by its type. */
function isMeant(tool: Carried, name: string): boolean {
  if (tool.kind === "search") return name.startsWith(SEARCH.name);
  return tool.kind === "hosted" && tool.native.value["name"] === name;
}

/** There is no choice among some of the tools: where one of them must be called the others stay away. */
function allowed(
  tools: readonly Carried[],
  choice: ToolChoice | undefined,
  names: ToolNames,
): readonly Carried[] {
  if (choice?.type !== "allowed") return tools;
  const chosen = new Set<Tool>(choice.tools.map((tool) => names.declared(tool)));
  return choice.required ? tools.filter((tool) => chosen.has(tool)) : tools;
}

function encodeTool(tool: Carried, names: ToolNames, traits: ModelTraits): JsonObject {
  switch (tool.kind) {
    case "hosted":
      return tool.native.value;
    case "search":
      return encodeSearch(tool);
    case "custom":
      return marked({ name: names.wire(tool), ...freeform(tool) }, tool.cache);
    case "function": {
      const { description, parameters, strict } = tool;
      const input_schema = wholeSchema(parameters);
      const held = strict === true && traits.schemas && isHeld(input_schema) ? { strict } : {};
      return marked({ name: names.wire(tool), description, input_schema, ...held }, tool.cache);
    }
  }
}

/** The type is required, and `object` is the only one. */
function wholeSchema(parameters: JsonObject = { type: "object", properties: {} }): JsonObject {
  return parameters["type"] === undefined ? { type: "object", ...parameters } : parameters;
}

/** Whether a tool's schema can be kept to as it is; otherwise it is read by the model like any other. */
function isHeld(schema: JsonObject): boolean {
  try {
    return JSON.stringify(strictSchema(schema, "tools")) === JSON.stringify(schema);
  } catch (error) {
    if (error instanceof GatewayError) return false;
    throw error;
  }
}

/** A tool that takes free text is a function of one text; its answers are taken out of it again. */
function freeform({ description, grammar }: ClientTool & { kind: "custom" }): JsonObject {
  const rule = grammar && `The input follows this ${grammar.syntax} grammar:\n${grammar.definition}`;
  const texts = [description, rule].filter((text) => text !== undefined && text !== "");
  return {
    description: texts.length > 0 ? texts.join("\n\n") : undefined,
    input_schema: {
      type: "object",
      properties: { input: { type: "string" } },
      required: ["input"],
      additionalProperties: false,
    },
  };
}

function encodeSearch(tool: SearchTool): JsonObject {
  return {
    ...SEARCH,
    max_uses: tool.maxUses,
    allowed_domains: tool.allowedDomains,
    blocked_domains: tool.blockedDomains,
    user_location: tool.location && { type: "approximate", ...tool.location },
  };
}

/** That calls come one at a time is part of the choice here. */
function encodeChoice({ choice, parallelCalls }: Prompt, names: ToolNames): Json | undefined {
  if (choice?.type === "none") return { type: "none" };
  const alone = parallelCalls === false ? { disable_parallel_tool_use: true } : {};
  if (choice?.type === "one") {
    names.declared(choice.tool);
    return { type: "tool", name: names.wire(choice.tool), ...alone };
  }
  if (choice?.type === "hosted") {
    const name = choice.name.startsWith(SEARCH.name) ? SEARCH.name : choice.name;
    return { type: "tool", name, ...alone };
  }
  if (isForced(choice)) return { type: "any", ...alone };
  return choice === undefined && parallelCalls !== false ? undefined : { type: "auto", ...alone };
}
