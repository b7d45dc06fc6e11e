// `chat` with a person: question after question, and words that begin with a slash.

import { nearest } from "../config/nearest.ts";
import { ask, type Talk, type Topic } from "./chat-turn.ts";
import { PROTOCOL_NAMES, protocolFor } from "./chat-wire.ts";
import { EXIT } from "./io.ts";
import { openQuestions } from "./questions.ts";
import { paintFor } from "./style.ts";
import { printable } from "./who.ts";

interface Course extends Topic {
  /** Whether somebody chose the protocol, so that another model does not change it. */
  readonly fixed: boolean;
}

const HELP = `  /model [NAME]      asks another model; without a name, says which there are
  /protocol [NAME]   messages, responses or chat
  /new               forgets what was said
  /quit              leaves, as Ctrl-D does
Ctrl-C stops an answer; when there is none, it leaves.
`;
const PROMPT = "> ";

/** Ends when the person leaves, well or not. */
export async function converse(talk: Talk, start: Course): Promise<number> {
  const { io, target } = talk;
  const paint = paintFor(io, io.stdout);
  const questions = openQuestions(io);
  let answering: AbortController | undefined;
  questions.onInterrupt(() => (answering === undefined ? questions.close() : answering.abort()));
  let course = start;
  try {
    io.stdout.write(
      `${paint("dim", `${described(course)}, at ${target.url}. /help says what else there is.`)}\n`,
    );
    for (;;) {
      const line = await questions.ask(PROMPT);
      // Ctrl-C and Ctrl-D leave no line end.
      if (line === undefined) io.stdout.write("\n");
      if (line === undefined || line === "/quit" || line === "/exit") return EXIT.done;
      if (line === "") continue;
      if (line.startsWith("/")) {
        course = steer(talk, course, line);
        continue;
      }
      answering = new AbortController();
      const { problem, text } = await ask(talk, course, line, answering.signal);
      answering = undefined;
      // What was not answered is not part of the conversation.
      if (problem === undefined)
        course = {
          ...course,
          turns: [...course.turns, { role: "user", text: line }, { role: "assistant", text }],
        };
    }
  } finally {
    questions.close();
  }
}

function described({ model, protocol }: Topic): string {
  return `${printable(model)} over ${protocol}`;
}

function steer({ io, models }: Talk, course: Course, line: string): Course {
  const [word = "", name] = line.split(/\s+/);
  const say = (text: string): void => void io.stdout.write(text);
  const turned = (next: Course): Course => {
    say(`${described(next)}.\n`);
    return next;
  };
  switch (word) {
    case "/help":
      say(HELP);
      return course;
    case "/new":
      say("Forgotten.\n");
      return { ...course, turns: [] };
    case "/model":
      if (name !== undefined)
        return turned({
          ...course,
          model: name,
          protocol: course.fixed ? course.protocol : protocolFor(name),
        });
      say(models.length === 0 ? "The gateway lists none.\n" : `${models.map(printable).join("\n")}\n`);
      return course;
    case "/protocol": {
      const protocol = PROTOCOL_NAMES.find((each) => each === name);
      if (protocol !== undefined) return turned({ ...course, protocol, fixed: true });
      say(`It is ${course.protocol}; there are ${PROTOCOL_NAMES.join(", ")}.\n`);
      return course;
    }
    default: {
      const near = nearest(word, ["/help", "/model", "/new", "/protocol", "/quit"]);
      say(`There is no ${printable(word)}; ${near === undefined ? "see /help" : `did you mean ${near}?`}\n`);
      return course;
    }
  }
}
