// Runs every test and ends with one line for machines: `N passed, N failed`. Words after the command go to
// `bun test`: `bun scripts/test.ts -t relay`.

import process from "node:process";

const FOLDERS = ["./src", "./test"];

/** bun's fetch lets only 256 requests go at once unless the environment says otherwise before it starts. */
const child = Bun.spawn([process.execPath, "test", ...FOLDERS, ...process.argv.slice(2)], {
  env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: "20000" },
  stdin: "ignore",
  stdout: "pipe",
  stderr: "pipe",
});

/** Shows what the child says as it says it, and keeps it. */
async function show(from: ReadableStream<Uint8Array>, to: NodeJS.WriteStream): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of from) {
    to.write(bytes);
    text += decoder.decode(bytes, { stream: true });
  }
  return text;
}

/** The last count of that name in bun's summary, which stands at the end of its output, one count a line. */
function count(summary: string, name: string): number {
  const found = [...summary.matchAll(new RegExp(`^\\s*(\\d+) ${name}s?$`, "gm"))].at(-1);
  return Number(found?.[1] ?? 0);
}

const [out, err, code] = await Promise.all([
  show(child.stdout, process.stdout),
  show(child.stderr, process.stderr),
  child.exited,
]);

const summary = Bun.stripANSI(`${out}\n${err}`).slice(-2_000);
const passed = count(summary, "pass");
// An error outside any test (a file that does not load) is counted by bun as an error and as a failure.
const told = Math.max(count(summary, "fail"), count(summary, "error"));
const failed = told === 0 && (code !== 0 || passed === 0) ? 1 : told;
if (told === 0 && failed > 0)
  process.stderr.write(`bun test ended with code ${code} without naming a failure\n`);

process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
