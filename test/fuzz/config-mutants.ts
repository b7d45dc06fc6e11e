// Values, keys and places of a config, changed: for the loader's own tests and for `npm run fuzz`.
import fc from "fast-check";
import { isObject, type Json } from "../../src/core/json.ts";
import type { Path } from "../../src/config/problems.ts";

const KNOWN_KEYS = [
  "name",
  "priority",
  "accounts",
  "api_key",
  "models",
  "token",
  "proxy",
  "constructor",
  "__proto__",
  "toString",
  "type",
  "content",
  "_x",
];

/** All places in a value, the root left out. */
function placesIn(value: Json, at: Path = []): Path[] {
  const entries = Array.isArray(value) ? [...value.entries()] : isObject(value) ? Object.entries(value) : [];
  return entries.flatMap(([key, inner]) => [[...at, key], ...placesIn(inner ?? null, [...at, key])]);
}

export interface Mutation {
  readonly place: number;
  readonly kind: "replace" | "remove" | "rename" | "add";
  readonly key: string;
  readonly value: unknown;
}

const key = fc.oneof(fc.constantFrom(...KNOWN_KEYS), fc.string({ maxLength: 12 }));
const scalar = fc.oneof(
  fc.constantFrom(
    "",
    "${TOKEN}",
    "${NONE}",
    "${",
    "anthropic",
    "oauth",
    "1h",
    ":0",
    "http://[::1",
    0,
    -1,
    1e308,
    null,
    true,
  ),
  fc.string(),
  fc.double(),
);
const value = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(key, scalar, { maxKeys: 3 }),
);
export const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({ place: fc.nat(), kind: fc.constantFrom("replace", "remove", "rename", "add"), key, value }),
  { minLength: 1, maxLength: 4 },
);

export function mutate(mutation: Mutation, config: Json): Json {
  const copy: unknown = structuredClone(config);
  const places = placesIn(config);
  const place = places[mutation.place % places.length] ?? [];
  const parent = place.slice(0, -1).reduce<unknown>((at, part) => Reflect.get(Object(at), part), copy);
  const last = place.at(-1) ?? "";
  const target = Object(parent);
  if (mutation.kind === "replace") Reflect.set(target, last, mutation.value);
  else if (mutation.kind === "remove") Reflect.deleteProperty(target, last);
  else {
    const moved: unknown = mutation.kind === "rename" ? Reflect.get(target, last) : mutation.value;
    if (mutation.kind === "rename") Reflect.deleteProperty(target, last);
    // A list's length is no member of it.
    if (Array.isArray(target) && mutation.key === "length") return copy as Json;
    Object.defineProperty(target, mutation.key, {
      value: moved,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy as Json;
}
