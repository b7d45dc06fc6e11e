// The models that a client may be told of: those the running gateway lists, else those the config names.

import type { Config } from "../config/schema.ts";
import { arrayAt, type Json, stringAt } from "../core/json.ts";
import type { Target } from "./configured.ts";

const WITHIN_MS = 5_000;

/** Undefined when nobody answers as a gateway does. */
export async function listedModels({ url, key }: Target): Promise<readonly string[] | undefined> {
  try {
    const answer = await fetch(`${url}/v1/models`, {
      headers: { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(WITHIN_MS),
    });
    if (!answer.ok) return undefined;
    const body = (await answer.json()) as Json;
    const names = arrayAt(body, "data")?.map((each) => stringAt(each, "id"));
    return names?.filter((each) => each !== undefined);
  } catch {
    return undefined;
  }
}

/** Exact names only: a pattern is no model. */
export function configuredModels({ accounts, modelAliases }: Config): readonly string[] {
  const named = accounts
    .filter(({ disabled }) => !disabled)
    .flatMap(({ models = [], modelMap }) => [...Object.keys(modelMap), ...models]);
  const exact = [...Object.keys(modelAliases), ...named].filter((name) => !/[*?[\]]/.test(name));
  return [...new Set(exact)];
}
