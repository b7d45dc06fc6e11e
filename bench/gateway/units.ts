// What is measured under load, with the budgets of docs/architecture.md.

import { type Request, STREAM_EVENTS } from "./shapes.ts";

export type TargetName = "direct" | "nginx" | "bare" | "gateway";

export interface Arm {
  readonly name: string;
  readonly target: TargetName;
  readonly request: Request;
}

export interface Unit {
  readonly name: string;
  readonly connections: number;
  /** In each round, for each arm. */
  readonly requests: number;
  readonly warmUp: number;
  /** Units of work in a request: the events of a stream, or the request itself. */
  readonly perRequest: number;
  /** The first is what the second is compared with; the third, if there is one, is the floor. */
  readonly arms: readonly [Arm, Arm, Arm?];
  readonly budgetUs: number | undefined;
  readonly maxRatio: number | undefined;
}

const WHOLE: Request = { wire: "messages", family: "claude", mode: "whole", bytes: 2_048 };
const PACED: Request = { ...WHOLE, mode: "paced" };
const BURST: Request = { ...WHOLE, mode: "burst" };
const LARGE: Request = { ...WHOLE, bytes: 300 << 10 };
const RESPONSES: Request = { wire: "responses", family: "gpt", mode: "paced", bytes: 2_048 };
const CHAT: Request = { ...RESPONSES, wire: "chat" };

function againstNginx(request: Request): readonly [Arm, Arm, Arm] {
  return [
    { name: "nginx", target: "nginx", request },
    { name: "gateway", target: "gateway", request },
    { name: "bare", target: "bare", request },
  ];
}

export const UNITS: readonly Unit[] = [
  {
    name: "non-stream request, 2 KB",
    connections: 16,
    requests: 20_000,
    warmUp: 6_000,
    perRequest: 1,
    arms: againstNginx(WHOLE),
    budgetUs: 128,
    maxRatio: 4,
  },
  {
    name: "stream event, 2 ms apart, 256 connections",
    connections: 256,
    requests: 1_280,
    warmUp: 512,
    perRequest: STREAM_EVENTS,
    arms: againstNginx(PACED),
    budgetUs: 13,
    maxRatio: 1.5,
  },
  {
    // No budget: with the machine idle between events, the cost of waking up is what is seen.
    name: "stream event, 2 ms apart, 16 connections",
    connections: 16,
    requests: 240,
    warmUp: 160,
    perRequest: STREAM_EVENTS,
    arms: againstNginx(PACED),
    budgetUs: undefined,
    maxRatio: undefined,
  },
  {
    name: "stream of 200 events, burst",
    connections: 16,
    requests: 5_000,
    warmUp: 1_500,
    perRequest: 1,
    arms: againstNginx(BURST),
    budgetUs: undefined,
    maxRatio: undefined,
  },
  {
    name: "request with a 300 KB body",
    connections: 8,
    requests: 4_000,
    warmUp: 1_500,
    perRequest: 1,
    arms: againstNginx(LARGE),
    budgetUs: 600,
    maxRatio: 3.2,
  },
  {
    name: "stream event translated to Chat, 16 connections",
    connections: 16,
    requests: 240,
    warmUp: 160,
    perRequest: STREAM_EVENTS,
    arms: [
      { name: "passed through", target: "gateway", request: RESPONSES },
      { name: "translated", target: "gateway", request: CHAT },
    ],
    budgetUs: 40,
    maxRatio: 3,
  },
  {
    name: "stream event translated to Messages, 16 connections",
    connections: 16,
    requests: 240,
    warmUp: 160,
    perRequest: STREAM_EVENTS,
    arms: [
      { name: "passed through", target: "gateway", request: RESPONSES },
      { name: "translated", target: "gateway", request: { ...RESPONSES, wire: "messages" } },
    ],
    budgetUs: 40,
    maxRatio: 3,
  },
  {
    name: "stream event translated from Messages, 16 connections",
    connections: 16,
    requests: 240,
    warmUp: 160,
    perRequest: STREAM_EVENTS,
    arms: [
      { name: "passed through", target: "gateway", request: PACED },
      { name: "translated", target: "gateway", request: { ...PACED, wire: "chat" } },
    ],
    budgetUs: 40,
    maxRatio: 3,
  },
  {
    name: "request with a 300 KB body, translated to Responses",
    connections: 8,
    requests: 2_000,
    warmUp: 800,
    perRequest: 1,
    arms: [
      { name: "passed through", target: "gateway", request: LARGE },
      { name: "translated", target: "gateway", request: { ...LARGE, family: "gpt" } },
    ],
    budgetUs: 15_000,
    maxRatio: undefined,
  },
  {
    name: "request with a 300 KB body, translated to Messages",
    connections: 8,
    requests: 2_000,
    warmUp: 800,
    perRequest: 1,
    arms: [
      { name: "passed through", target: "gateway", request: LARGE },
      { name: "translated", target: "gateway", request: { ...LARGE, wire: "responses" } },
    ],
    budgetUs: 15_000,
    maxRatio: undefined,
  },
];

export const LATENCY = {
  requests: 4_000,
  warmUp: 2_000,
  request: WHOLE,
  budgetP50Us: 250,
  budgetP99Us: 1_500,
} as const;

export const MEMORY = {
  streams: 1_000,
  /** Between a start or the last stream's beginning and the measurement. */
  settleMs: 3_000,
  request: { ...WHOLE, mode: "held" },
  budgetIdleBytes: 45 << 20,
  budgetStreamBytes: 50 << 10,
} as const;

export const START = { accounts: 1_000, budgetMs: 300 } as const;
export const CHOICE = { accounts: 1_000, budgetUs: 10 } as const;
