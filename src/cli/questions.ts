// Questions in a terminal, or answers from a pipe. End of input is an answer too: undefined.

import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import type { Io } from "./io.ts";
import { isTerminal } from "./style.ts";

export interface Questions {
  /** The answer without spaces around it; undefined when the input has ended. */
  ask(question: string): Promise<string | undefined>;
  /** The same, with nothing of the answer shown. */
  askSecret(question: string): Promise<string | undefined>;
  /** Ctrl-C, of which a terminal with an open question tells nobody else. */
  onInterrupt(listener: () => void): void;
  close(): void;
}

export function openQuestions(io: Io): Questions {
  const { stdin } = io;
  if (stdin === undefined) return { ask: noAnswer, askSecret: noAnswer, onInterrupt: none, close: none };
  let muted = false;
  const echo = new Writable({
    write(chunk, _encoding, done) {
      if (!muted) io.stdout.write(String(chunk));
      done();
    },
  });
  const terminal = isTerminal(stdin);
  const lines = createInterface({ input: stdin, output: echo, terminal });
  let ended = false;
  lines.once("close", () => (ended = true));
  // The iterator keeps lines that come before they are asked for, and knows the end; question() does neither.
  const answers = lines[Symbol.asyncIterator]();
  const ask = async (question: string): Promise<string | undefined> => {
    // A terminal's line is drawn anew as it is typed, with the question before it.
    const drawn = terminal && !muted && !ended;
    lines.setPrompt(drawn ? question : "");
    if (drawn) lines.prompt();
    else io.stdout.write(question);
    const { done, value } = await answers.next();
    return done === true ? undefined : value.trim();
  };
  const askSecret = async (question: string): Promise<string | undefined> => {
    muted = true;
    try {
      return await ask(question);
    } finally {
      muted = false;
      io.stdout.write("\n");
    }
  };
  return {
    ask,
    askSecret,
    onInterrupt: (listener) => void lines.on("SIGINT", listener),
    close: () => lines.close(),
  };
}

function none(): void {}

async function noAnswer(): Promise<undefined> {
  return undefined;
}
