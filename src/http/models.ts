// GET /v1/models: one body that satisfies both OpenAI's and Anthropic's shape.

import { json } from "./answers.ts";
import type { Handle } from "./server.ts";

export interface ModelsSources {
  /** The names this client may ask for, served now. @throws GatewayError when the key is missing or wrong */
  readonly names: (headers: Headers) => Promise<readonly string[]>;
  readonly refuse: (error: unknown, request: Request) => Response;
}

/** Neither API's clients read the date; it must only be there, and be the same every time. */
const CREATED = 1_704_067_200;

export function modelsRoute(sources: ModelsSources): Handle {
  return async (request, id) => {
    try {
      const names = await sources.names(request.headers);
      if (id === undefined) return json(200, page(names));
      const name = decoded(id);
      if (names.includes(name)) return json(200, entry(name));
      return sources.refuse(undefined, request);
    } catch (error) {
      return sources.refuse(error, request);
    }
  };
}

function page(names: readonly string[]): unknown {
  return {
    object: "list",
    data: names.map(entry),
    has_more: false,
    first_id: names[0] ?? null,
    last_id: names[names.length - 1] ?? null,
  };
}

function entry(name: string): unknown {
  return {
    id: name,
    object: "model",
    created: CREATED,
    owned_by: "sub2api_simple",
    type: "model",
    display_name: name,
    created_at: new Date(CREATED * 1_000).toISOString(),
  };
}

function decoded(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}
