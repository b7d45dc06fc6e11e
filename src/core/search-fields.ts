// What two protocols say of a web search in the same words.

import type { SearchTool } from "./hub.ts";
import { arrayAt, objectAt, type Json, type JsonObject } from "./json.ts";

type Domains = SearchTool["allowedDomains"];

/** Domains to search, or not to, under `key`. */
export function domainsAt(holder: Json | undefined, key: string): Domains {
  return arrayAt(holder, key)?.filter((each): each is string => typeof each === "string");
}

/** Where `user_location` says the user is; undefined where it says nothing. */
export function userLocation(tool: JsonObject): SearchTool["location"] {
  const { type: _, ...location } = objectAt(tool, "user_location") ?? {};
  return Object.keys(location).length > 0 ? location : undefined;
}
