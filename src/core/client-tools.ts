// The tools of a request that an upstream of another protocol can be offered.

import type { Prompt, Tool } from "./hub.ts";
import { unsupported } from "./request-fields.ts";

/**
 * The tools that `carries` accepts. One that the provider would have run is left out when others remain,
 * because coding agents list some by default; forced, or as the only tool, it is refused.
 * @throws GatewayError `unsupported_field`
 */
export function carriedTools<T extends Tool>(
  prompt: Prompt,
  carries: (tool: Tool) => tool is T,
): readonly T[] {
  const carried = prompt.tools.filter(carries);
  const left = prompt.tools.find((tool) => !carries(tool));
  if (left !== undefined && carried.length === 0)
    throw unsupported("tools", `the tool ${left.kind === "hosted" ? left.name : "web_search"}`);
  return carried;
}
