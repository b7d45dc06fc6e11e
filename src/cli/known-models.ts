// The models that a client may be told of: those the running gateway lists, else those the config names.

import type { Config } from "../config/schema.ts";
import { arrayAt, stringAt } from "../core/json.ts";
import { AskError, askGateway } from "./asking.ts";
import type { Target } from "./configured.ts";
import type { Io } from "./io.ts";

/** Undefined when nobody answers as a gateway does. */
export async function listedModels(target: Target, io: Io): Promise<readonly string[] | undefined> {
  try {
    const body = await askGateway(target, "/v1/models", io);
    const names = arrayAt(body, "data")?.map((each) => stringAt(each, "id"));
    return names?.filter((each) => each !== undefined);
  } catch (error) {
    if (!(error instanceof AskError)) throw error;
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
