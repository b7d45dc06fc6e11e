// The table of upstream services: one line each.

import type { Provider } from "../core/ports.ts";
import { anthropic } from "./anthropic.ts";
import { chatgpt } from "./chatgpt.ts";
import { openai } from "./openai.ts";

export const PROVIDERS: Readonly<Record<string, Provider>> = { anthropic, chatgpt, openai };
