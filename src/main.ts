#!/usr/bin/env bun
// Command line -> command. fetch allows only 256 requests in flight unless the environment says otherwise before
// the process starts, so the program starts itself anew, in the same process, with the limit lifted.

import process from "node:process";

const LIMIT = "BUN_CONFIG_MAX_HTTP_REQUESTS";
/** Above what one process can hold open. */
const MAX_REQUESTS = "65336";

if (process.env[LIMIT] === undefined && typeof process.execve === "function") {
  // In a compiled binary argv[1] is a path inside the binary, which is not passed on.
  const script = process.argv[1] ?? "";
  const inner = script.startsWith("/$bunfs/") || script.startsWith("B:\\~BUN\\");
  const args = inner ? process.argv.slice(2) : process.argv.slice(1);
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...args], {
    ...process.env,
    [LIMIT]: MAX_REQUESTS,
  });
}

// Not before: it would be loaded twice.
const { command } = await import("./cli/commands.ts");
const { env, stdin, stdout, stderr } = process;
const code = await command(process.argv.slice(2), { env, stdin, stdout, stderr, cwd: process.cwd() });
// What was logged last is written at the end of this turn.
await new Promise((resolve) => setImmediate(resolve));
process.exit(code);
