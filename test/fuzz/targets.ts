// Everything that is fuzzed.
import { sse } from "./sse.ts";
import { config } from "./config.ts";
import { headers } from "./headers.ts";
import { json } from "./json.ts";
import { raw } from "./raw.ts";
import { splits } from "./splits.ts";
import type { Target } from "./target.ts";
import { translate } from "./translate.ts";
import { waits } from "./waits.ts";

export const TARGETS: readonly Target[] = [sse, splits, json, waits, config, headers, translate, raw];
