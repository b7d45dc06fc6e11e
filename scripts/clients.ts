// The real clients against a gateway before scripted vendors, their own and the other one: `npm run clients`.
// With names of clients only those run; `--short` plays an agent's edit on the other vendor alone; `--record` writes what they asked into test/real-clients/transcripts/.

import { HOW } from "../test/real-clients/clients.ts";
import { CLIENTS, install, type ClientName } from "../test/real-clients/install.ts";
import { play } from "../test/real-clients/play.ts";
import { SCENARIOS } from "../test/real-clients/scenarios.ts";
import { writeTranscript } from "../test/real-clients/transcript.ts";

const VENDORS = ["messages", "responses"] as const;
const chosen = process.argv.slice(2).filter((word) => !word.startsWith("-"));
const records = process.argv.includes("--record");
const isShort = process.argv.includes("--short");
const counts = { passed: 0, failed: 0, skipped: 0 };

function tell(cells: readonly string[], result: keyof typeof counts, seconds: number): void {
  counts[result] += 1;
  console.log(`${result.padEnd(8)}${cells.join("  ")}  ${seconds.toFixed(1)} s`);
}

async function playAll(client: ClientName): Promise<void> {
  const { version, program, reason } = await install(client);
  const title = `${client} ${version}`.padEnd(18);
  if (program === undefined) return tell([title, `could not be installed: ${reason}`], "skipped", 0);
  for (const vendor of VENDORS) {
    const where = (vendor === HOW[client].own ? "own vendor" : "other vendor").padEnd(12);
    if (isShort && vendor === HOW[client].own) continue;
    for (const scenario of isShort ? SCENARIOS.slice(0, 1) : SCENARIOS) {
      const from = performance.now();
      const { failure, heard, upstream } = await play({ client, program, vendor, scenario });
      const seconds = (performance.now() - from) / 1_000;
      tell([title, where, scenario.name.padEnd(18)], failure === undefined ? "passed" : "failed", seconds);
      if (failure !== undefined) console.log(`    ${failure}`);
      if (records && failure === undefined)
        writeTranscript({ client, vendor, scenario: scenario.name, heard, upstream });
    }
  }
}

for (const client of CLIENTS) if (chosen.length === 0 || chosen.includes(client)) await playAll(client);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed > 0 ? 1 : 0);
