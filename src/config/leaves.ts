// The building stones of the schema: a zod schema together with our own check, and the kinds of value that
// several keys share.

import { z } from "zod";
import type { Checked } from "./problems.ts";
import { headerSecret } from "./secrets.ts";
import { duration } from "./units.ts";

export const HOUR_MS = 3_600_000;
/** The longest wait a timer can hold is 2^31-1 ms, a little under 25 days. */
const LONGEST_TIMER_MS = 24 * 24 * HOUR_MS;

/** A schema whose values go through one of our own checks. */
export function checked<I extends z.ZodType, T>(input: I, check: (value: z.output<I>) => Checked<T>) {
  return input.transform((value, context): T => {
    const verdict = check(value);
    if ("value" in verdict) return verdict.value;
    const { message, suggestion } = verdict;
    context.issues.push({ code: "custom", message, params: { suggestion }, input: undefined });
    return z.NEVER;
  });
}

/** Description and examples go into config.schema.json; the first example also into error messages. */
export function describe<S extends z.ZodType>(
  schema: S,
  description: string,
  ...examples: readonly unknown[]
): S {
  return schema.meta(examples.length > 0 ? { description, examples } : { description });
}

function shortText(longest: number) {
  return z
    .string()
    .min(1)
    .max(longest)
    .refine((text) => !/\p{Cc}/u.test(text), { error: "holds a control character" });
}

export const amount = z.union([z.number(), z.string()], { error: "must be a string or a number" });
export const count = z.int().min(1);
export const name = shortText(100);
export const model = shortText(200);
export const models = z.array(model);
export const secret = checked(z.string(), headerSecret);
export const weight = z.number().positive().max(1e6).default(1);

/** Timers run for at least a millisecond; `minMs: 0` is for waits that may be switched off. */
export function durationOf(initial: string, minMs = 1, maxMs = LONGEST_TIMER_MS) {
  return checked(amount, (value) => duration(value, { minMs, maxMs })).prefault(initial);
}

/** At or below 0 takes the default, as it always did. */
export function positiveOr(initial: number) {
  return z
    .int()
    .transform((value) => (value > 0 ? value : initial))
    .prefault(initial);
}
