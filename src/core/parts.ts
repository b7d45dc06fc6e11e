// The parts of a conversation and of its tools. Each codec declares what it makes of each when it writes a request; a
// declaration is told in docs/protocols.md as it stands.

export const PART_NAMES = [
  "system text",
  "system text in the middle",
  "user's text",
  "model's text",
  "begun answer",
  "refusal",
  "phase of the model's text",
  "sources of the model's text",
  "picture by value",
  "picture by URL",
  "PDF by value",
  "document by URL",
  "document as text",
  "found text with its source",
  "stored file",
  "sound",
  "function call",
  "custom tool's call",
  "result",
  "picture in a result",
  "failed result",
  "step of the provider's own",
  "compaction",
  "pointer to a stored item",
  "cache mark",
  "function tool",
  "custom tool",
  "examples for a tool",
  "tool that is loaded when it is looked for",
  "tool that is loaded in the conversation",
  "tool that only other tools may call",
  "namespace of tools",
  "tool that the client runs, of a type of its own",
  "web search",
  "other tool that the provider runs",
  "choice of one tool",
] as const;

export type PartName = (typeof PART_NAMES)[number];

/**
 * What becomes of a part that came in another protocol: `400…` where it is refused, `left out…` where it is, else the
 * form it takes, with the words of that form in backticks.
 */
export type Parts = Readonly<Record<PartName, string>>;
