// `chat`: a small client, for trying a gateway out.

import type { Protocol } from "../core/account.ts";
import type { ExchangeRecord } from "../core/exchange.ts";
import type { Clock } from "../core/ports.ts";
import { nearest } from "../config/nearest.ts";
import type { Config } from "../config/schema.ts";
import { UsageError } from "./arguments.ts";
import { converse } from "./chat-talk.ts";
import { askOnce, type Talk } from "./chat-turn.ts";
import { PROTOCOL_NAMES, protocolFor } from "./chat-wire.ts";
import { readConfigFor, TARGET_HELP, TARGET_OPTIONS, targetFor } from "./configured.ts";
import { EXIT, type Io } from "./io.ts";
import { configuredModels, listedModels } from "./known-models.ts";
import { runCommand } from "./run-command.ts";
import { isTerminal } from "./style.ts";

const HELP = `Usage: sub2api_simple chat [PROMPT] [--model NAME] [--protocol NAME] [-config FILE]

Talks with a model through a running gateway, streaming. Without PROMPT it goes on asking, or takes what is piped to it.

  --model NAME                 default: the first that the gateway lists
  --protocol NAME              messages, responses or chat; default: messages for Claude models, else responses
${TARGET_HELP}
  --json                       the answer with its tokens, times and account as one line of JSON
  -config, --config, -c FILE   default: $SUB2API_CONFIG, else config.json
  -h, --help                   this text

Examples:
  sub2api_simple chat
  sub2api_simple chat "Say hello" --model gpt-5 --protocol chat
  git diff | sub2api_simple chat --json

Exit codes: 0 answered, 1 no answer or no whole one, 2 wrong usage or config.
`;

const OPTIONS = {
  ...TARGET_OPTIONS,
  model: { type: "string" },
  protocol: { type: "string" },
  json: { type: "boolean" },
} as const;

export interface ChatTools {
  readonly clock: Clock;
  /** Undefined when there are none yet. @throws with words for the operator */
  readonly open: (
    config: Config,
  ) => { find(id: string, limit: number): readonly ExchangeRecord[]; close(): void } | undefined;
}

export function createChatCommand(tools: ChatTools): (args: string[], io: Io) => Promise<number> {
  return (args, io) =>
    runCommand(args, io, { help: HELP, options: OPTIONS, words: Infinity }, async (given) => {
      const { values, words, configPath } = given;
      const protocol = values.protocol === undefined ? undefined : protocolNamed(values.protocol);
      const target = await targetFor(io, configPath, values);
      // Records lie beside the gateway, so only one on this machine can be asked for them.
      const config = values.url === undefined ? await readConfigFor(io, configPath) : undefined;
      const models =
        (await listedModels(target, io)) ?? (config === undefined ? [] : configuredModels(config));
      const model = values.model ?? models[0];
      if (model === undefined)
        throw new UsageError("nobody names a model that can be asked for; say which with --model NAME");
      const records = config === undefined ? undefined : () => tools.open(config);
      const { clock } = tools;
      const talk: Talk = { io, target, clock, records, models, json: values.json === true };
      const topic = { model, protocol: protocol ?? protocolFor(model), turns: [] };
      const prompt = words.length > 0 ? words.join(" ") : await piped(io);
      if (prompt === undefined) return converse(talk, { ...topic, fixed: protocol !== undefined });
      if (prompt.trim() === "") throw new UsageError("the prompt is empty");
      return (await askOnce(talk, topic, prompt)) ? EXIT.done : EXIT.failed;
    });
}

/** All of stdin, unless a person sits there. */
async function piped({ stdin }: Io): Promise<string | undefined> {
  if (stdin === undefined || isTerminal(stdin)) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

/** @throws UsageError */
function protocolNamed(name: string): Protocol {
  const found = PROTOCOL_NAMES.find((each) => each === name);
  if (found !== undefined) return found;
  const near = nearest(name, PROTOCOL_NAMES);
  const meant = near === undefined ? `it is one of ${PROTOCOL_NAMES.join(", ")}` : `did you mean "${near}"?`;
  throw new UsageError(`there is no protocol "${name}"; ${meant}`);
}
