// How the login of each account stands, by what is kept: nobody is asked.

import type { LoginLook } from "../desks.ts";
import { isOurs } from "./doctor-data.ts";
import { about, type Finding, type Patient, type Pen } from "./doctor-finding.ts";
import { programName } from "./io.ts";
import { duration } from "./units.ts";
import { sentence, wordsOf } from "./who.ts";

export async function checkLogins(patient: Patient): Promise<readonly Finding[]> {
  const { config, desk, tools, io } = patient;
  const found: Finding[] = [];
  // The checks of data_dir and the database say why.
  if (isOurs(config.dataDir) !== "ours") return found;
  for (const { name, disabled } of config.accounts) {
    if (disabled) continue;
    const pen = about("login", name);
    try {
      const look = await desk.login(name);
      const command = `${programName(io.env)} login ${name}`;
      if (look !== undefined) found.push(judgeLogin(look, { pen, command, wall: tools.clock.wall() }));
    } catch (error) {
      found.push(pen.fail(sentence(wordsOf(error)), "mend the database first"));
    }
  }
  return found;
}

interface LoginJudged {
  readonly pen: Pen;
  /** That signs it in. */
  readonly command: string;
  /** Epoch ms. */
  readonly wall: number;
}

function judgeLogin(look: LoginLook, { pen, command, wall }: LoginJudged): Finding {
  const signIn = `sign it in: ${command}`;
  if (look.state === "none") return pen.fail("needs a login: it has never signed in", signIn);
  if (look.state === "untried")
    return pen.ok("has the refresh token of the config, which the next request tries");
  if (look.state === "lost") return pen.fail(`needs a login: ${look.reason}`, signIn);
  if (look.state === "unreadable")
    return pen.fail(
      `has a login that cannot be opened: ${look.reason}`,
      `bring the right master key back (docs/storage.md), or ${signIn}`,
    );
  return judgeKept(look, { pen, command, wall });
}

function judgeKept(
  { expiresAt, isRenewable, follow }: LoginLook & { state: "kept" },
  { pen, command, wall }: LoginJudged,
): Finding {
  const isOver = expiresAt !== 0 && expiresAt <= wall;
  const end =
    expiresAt === 0
      ? ""
      : isOver
        ? `; its token ended ${duration(wall - expiresAt)} ago`
        : `; its token ends in ${duration(expiresAt - wall)}`;
  if (follow !== undefined && isOver)
    return pen.warn(
      `follows ${follow}${end}, and nobody has renewed it there`,
      `start Codex once, or sign the account in by itself: ${command}`,
    );
  if (follow !== undefined) return pen.ok(`follows ${follow}${end}`);
  if (isRenewable) return pen.ok(`is signed in${end}${isOver ? ", and the next request renews it" : ""}`);
  const what = `is signed in without a refresh token${end}`;
  return isOver
    ? pen.fail(what, `sign it in: ${command}`)
    : pen.warn(`${what}, and nothing can renew it`, `sign it in before that: ${command}`);
}
