// What a client is to be told of a gateway: where it is, with which key, and of which models.

import { nearest } from "../config/nearest.ts";
import { UsageError } from "./arguments.ts";
import { type ClientName, clientOf, type Wanted } from "./clients.ts";
import { readConfigFor, type Target, targetFor } from "./configured.ts";
import { type Io, programName } from "./io.ts";
import { configuredModels, listedModels } from "./known-models.ts";

/** @throws UsageError with the nearest name */
export function clientNamed<N extends string>(name: string | undefined, names: readonly N[]): N {
  const found = names.find((each) => each === name);
  if (found !== undefined) return found;
  if (name === undefined) throw new UsageError(`which client? One of ${names.join(", ")}`);
  const near = nearest(name, names);
  const meant = near === undefined ? `it knows ${names.join(", ")}` : `did you mean "${near}"?`;
  throw new UsageError(`there is no client "${name}"; ${meant}`);
}

interface Asking {
  readonly command: "env" | "run";
  readonly name: ClientName;
  readonly io: Io;
  readonly configPath: string;
}

/** What the client is to be told; undefined, with words on stderr, when that cannot be known. */
export async function wish(
  { command, name, io, configPath }: Asking,
  values: { readonly url?: string; readonly key?: string; readonly model?: string },
): Promise<Wanted | undefined> {
  const { takesModel, needsModels } = clientOf(name);
  const { model } = values;
  if (model !== undefined && !takesModel)
    throw new UsageError(`${name} takes no --model from its environment`);
  const target = await targetFor(io, configPath, values);
  if (needsModels !== true) return { ...target, model, models: [] };
  const models = await modelsAt(target, io, configPath);
  if (models.length > 0 || model !== undefined) return { ...target, model, models };
  io.stderr.write(
    `${name} wants to know its models, and nobody names any: no gateway answers at ${target.url}, and the config ` +
      `has only patterns.\nStart the gateway, or choose one: ${programName(io.env)} ${command} ${name} --model NAME\n`,
  );
  return undefined;
}

async function modelsAt(target: Target, io: Io, configPath: string): Promise<readonly string[]> {
  const listed = await listedModels(target, io);
  if (listed !== undefined && listed.length > 0) return listed;
  try {
    return configuredModels(await readConfigFor(io, configPath));
  } catch {
    // With --url and a key from the environment there may be no config here.
    return [];
  }
}
