// Everything that is fuzzed.
import { sse } from "./sse.ts";
import { config } from "./config.ts";
import { json } from "./json.ts";
import { splits } from "./splits.ts";
import type { Target } from "./target.ts";
import { waits } from "./waits.ts";

export const TARGETS: readonly Target[] = [sse, splits, json, waits, config];
