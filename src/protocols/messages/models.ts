// What the models behind this protocol can do, by name: which of them think how, and what they refuse. A request
// that was written for another protocol is fitted to this; names nobody knows are treated by family.

export interface ModelTraits {
  /** How thinking is asked for: by effort, by a number of tokens, by either, or not at all. */
  readonly thinking: "effort" | "budget" | "both" | "none";
  /** What turns it off; undefined where nothing does. */
  readonly off: "disabled" | "between_tools" | undefined;
  /** The efforts above `high`. */
  readonly highest: readonly string[];
  /** Whether it takes `temperature`, `top_p` and `top_k`. */
  readonly sampling: boolean;
  /** Whether a tool may be forced. */
  readonly forcing: boolean;
  /** Whether it keeps to a schema: that of the answer, or a strict tool's. */
  readonly schemas: boolean;
  /** Whether system messages may stand within the conversation. */
  readonly midSystem: boolean;
  /** Whether it goes on from a begun answer. */
  readonly prefill: boolean;
  /** The most tokens it puts out, thinking included; undefined where nobody knows. */
  readonly maxOutput: number | undefined;
}

const NEW: ModelTraits = {
  thinking: "effort",
  off: undefined,
  highest: ["xhigh", "max"],
  sampling: false,
  forcing: true,
  schemas: true,
  midSystem: true,
  prefill: false,
  maxOutput: 128_000,
};
const LAST_TO_TAKE_BUDGETS: ModelTraits = { ...NEW, thinking: "both", off: "disabled" };
const WITH_SAMPLING: ModelTraits = {
  ...LAST_TO_TAKE_BUDGETS,
  highest: ["max"],
  sampling: true,
  midSystem: false,
};
const OLD: ModelTraits = {
  ...WITH_SAMPLING,
  thinking: "budget",
  highest: [],
  prefill: true,
  maxOutput: 64_000,
};
const BEFORE_SCHEMAS: ModelTraits = { ...OLD, schemas: false };
const BEFORE_THINKING: ModelTraits = { ...BEFORE_SCHEMAS, thinking: "none", maxOutput: 8192 };

/** Family and version, as they stand in a name. */
const TRAITS: Readonly<Record<string, ModelTraits>> = {
  "sonnet-5-5": { ...NEW, off: "between_tools", forcing: false },
  "opus-5-5": { ...NEW, forcing: false },
  "fable-5-1": { ...NEW, forcing: false },
  "fable-5-2": { ...NEW, forcing: false },
  "fable-5": NEW,
  "haiku-5-5": { ...NEW, off: "disabled" },
  "opus-5": LAST_TO_TAKE_BUDGETS,
  "sonnet-5": LAST_TO_TAKE_BUDGETS,
  "opus-4-8": LAST_TO_TAKE_BUDGETS,
  "opus-4-7": { ...LAST_TO_TAKE_BUDGETS, midSystem: false },
  "opus-4-6": WITH_SAMPLING,
  "sonnet-4-6": WITH_SAMPLING,
  "opus-4-5": OLD,
  "sonnet-4-5": OLD,
  "haiku-4-5": OLD,
  "opus-4-1": { ...OLD, maxOutput: 32_000 },
  "opus-4": { ...BEFORE_SCHEMAS, maxOutput: 32_000 },
  "sonnet-4": BEFORE_SCHEMAS,
  "sonnet-3-7": BEFORE_SCHEMAS,
  "sonnet-3-5": BEFORE_THINKING,
  "haiku-3-5": BEFORE_THINKING,
  "opus-3": { ...BEFORE_THINKING, maxOutput: 4096 },
  "sonnet-3": { ...BEFORE_THINKING, maxOutput: 4096 },
  "haiku-3": { ...BEFORE_THINKING, maxOutput: 4096 },
};

/** A Claude that this table does not know is most likely newer than the table. */
const UNKNOWN_CLAUDE: ModelTraits = { ...NEW, maxOutput: undefined };
/** Other vendors' servers of this protocol have it as it was when they took it up. */
const OTHER: ModelTraits = { ...OLD, maxOutput: undefined };

/** `claude-opus-4-5-20251101`, `anthropic.claude-sonnet-5-v1:0`; the version is no part of a date. */
const FAMILY_FIRST = /(opus|sonnet|haiku|fable|mythos)-(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?/;
/** `claude-3-7-sonnet-20250219` */
const VERSION_FIRST = /claude-(\d)(?:[-.](\d))?-(opus|sonnet|haiku)/;

export function traitsOf(model: string): ModelTraits {
  const name = model.toLowerCase();
  const known = [keyOf(FAMILY_FIRST.exec(name), [1, 2, 3]), keyOf(VERSION_FIRST.exec(name), [3, 1, 2])];
  for (const key of known) {
    const found = key !== undefined && Object.hasOwn(TRAITS, key) ? TRAITS[key] : undefined;
    if (found !== undefined) return found;
  }
  return name.includes("claude") ? UNKNOWN_CLAUDE : OTHER;
}

/** The groups of a match, in this order, as a key of the table; version 4.0 is version 4. */
function keyOf(match: RegExpExecArray | null, order: readonly number[]): string | undefined {
  return match
    ? order
        .flatMap((group) => match[group] ?? [])
        .filter((part) => part !== "0")
        .join("-")
        .replace("mythos", "fable")
    : undefined;
}

/** Where the client set no limit and the model's own is not known: room for an agent's turn. */
const USUAL_MAX = 32_000;

/** The limit to send, which this protocol requires: the client's as far as the model goes, or all it has. */
export function outputLimit(wanted: number | undefined, { maxOutput }: ModelTraits): number {
  if (wanted === undefined) return maxOutput ?? USUAL_MAX;
  return maxOutput === undefined ? wanted : Math.min(wanted, maxOutput);
}
