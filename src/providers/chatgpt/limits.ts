// What the ChatGPT backend says of an account's quotas, in the headers of any answer and in events of its own.

import { booleanAt, type Json, type JsonObject, numberAt, objectAt, stringAt } from "../../core/json.ts";
import { EXTRA_USAGE, type LimitWindow, secondsMs } from "../../core/limits.ts";

/** The plan's own quota. Others are for single models, and are named behind it. */
const PLAN = "codex";
const HEADER = /^x-([a-z0-9-]{1,48})-(primary|secondary)-used-percent$/;
/** More than any plan has; the names are the upstream's. */
const MAX_WINDOWS = 16;
const HOUR = 60;
const DAY = 24 * HOUR;
/** Minutes by which a window may be off its name: 299 has been seen for five hours. */
const TOLERANCE = 3;

type Source = Pick<LimitWindow, "source" | "seenAt">;

/** One window of one family of limits. */
interface Quota {
  readonly family: string;
  readonly place: string;
  readonly percent: number;
  readonly minutes: number | undefined;
  /** Epoch ms. */
  readonly resetAt: number | undefined;
}

/** Whether usage beyond the plan can be paid for, and whether it is counted at all. */
interface Credits {
  readonly has: boolean;
  readonly unlimited: boolean;
}

/** `x-codex-primary-*`, `x-codex-secondary-*` and the same of further families. `nowMs` is epoch ms. */
export function headerWindows(headers: Headers, nowMs: number): readonly LimitWindow[] {
  const has = headers.get("x-codex-credits-has-credits");
  const unlimited = isTrue(headers.get("x-codex-credits-unlimited"));
  const credits = has === null ? undefined : { has: isTrue(has), unlimited };
  return windowsOf(headerQuotas(headers, nowMs), credits, { source: "header", seenAt: nowMs });
}

/** The data of a `codex.rate_limits` event. */
export function eventWindows(data: JsonObject, nowMs: number): readonly LimitWindow[] {
  const family = stringAt(data, "metered_limit_name") ?? stringAt(data, "limit_name");
  const limits = objectAt(data, "rate_limits");
  const quotas = ["primary", "secondary"].flatMap((place) => {
    const window = objectAt(limits, place);
    const percent = numberAt(window, "used_percent");
    if (percent === undefined || percent < 0) return [];
    const resetAt = resetOf(numberAt(window, "reset_at"), numberAt(window, "reset_after_seconds"), nowMs);
    const minutes = numberAt(window, "window_minutes");
    return [{ family: familyOf(family), place, percent, minutes, resetAt }];
  });
  return windowsOf(quotas, eventCredits(data["credits"]), { source: "event", seenAt: nowMs });
}

/** Whether the limit that an answer is about is not the plan's but a model's own. */
export function bindsModel(headers: Headers): boolean {
  return activeFamily(headers) !== PLAN;
}

/** Ms until the used-up windows of that limit start anew; undefined when none is used up or says when. */
export function usedUpMs(headers: Headers, nowMs: number): number | undefined {
  const active = activeFamily(headers);
  const resetAt = latestReset(headerQuotas(headers, nowMs).filter(({ family }) => family === active));
  return resetAt === undefined || resetAt <= nowMs ? undefined : resetAt - nowMs;
}

function activeFamily(headers: Headers): string {
  return familyOf(headers.get("x-codex-active-limit") ?? undefined);
}

/** Names come with `_` in values and with `-` in headers; none means the plan's. */
function familyOf(limit: string | undefined): string {
  const family = (limit ?? "").toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return family.replaceAll(/^-|-$/g, "").slice(0, 48) || PLAN;
}

function headerQuotas(headers: Headers, nowMs: number): readonly Quota[] {
  const quotas: Quota[] = [];
  headers.forEach((value, name) => {
    const found = HEADER.exec(name);
    if (found === null || quotas.length >= MAX_WINDOWS) return;
    const [, family = "", place = ""] = found;
    const prefix = `x-${family}-${place}-`;
    const percent = numberOf(value);
    const minutes = numberOf(headers.get(`${prefix}window-minutes`));
    const at = numberOf(headers.get(`${prefix}reset-at`));
    const resetAt = resetOf(at, numberOf(headers.get(`${prefix}reset-after-seconds`)), nowMs);
    if (percent !== undefined) quotas.push({ family, place, percent, minutes, resetAt });
  });
  return quotas;
}

/** Epoch ms, from epoch seconds or from seconds to go. */
function resetOf(at: number | undefined, after: number | undefined, nowMs: number): number | undefined {
  if (at !== undefined && at > 0) return secondsMs(at);
  const afterMs = secondsMs(after);
  return afterMs === undefined ? undefined : nowMs + afterMs;
}

function windowsOf(quotas: readonly Quota[], credits: Credits | undefined, source: Source): LimitWindow[] {
  const told = quotas.filter(({ percent, minutes, resetAt }) => percent > 0 || minutes || resetAt);
  const windows: LimitWindow[] = told.map((quota) => ({
    name: nameOf(quota),
    used: quota.percent / 100,
    resetAt: quota.resetAt,
    ...source,
  }));
  const plan = quotas.filter((quota) => quota.family === PLAN);
  if (credits === undefined || plan.length === 0) return windows;
  // Answers go on beyond a used-up plan only when they are paid for.
  const costs = plan.some(isUsedUp) && credits.has && !credits.unlimited;
  const resetAt = costs ? latestReset(plan) : undefined;
  return [...windows, { name: EXTRA_USAGE, used: costs ? 1 : 0, resetAt, ...source }];
}

function isUsedUp({ percent }: Quota): boolean {
  return percent >= 100;
}

function latestReset(quotas: readonly Quota[]): number | undefined {
  const resets = quotas.filter(isUsedUp).flatMap(({ resetAt }) => resetAt ?? []);
  return resets.length === 0 ? undefined : Math.max(...resets);
}

function nameOf({ family, place, minutes }: Quota): string {
  const span = minutes === undefined || minutes <= 0 ? place : spanOf(minutes);
  return family === PLAN ? span : `${family}-${span}`;
}

/** `5h`, `7d`, `90m`. */
function spanOf(minutes: number): string {
  for (const [size, unit] of [
    [DAY, "d"],
    [HOUR, "h"],
  ] as const) {
    const count = Math.round(minutes / size);
    if (count > 0 && Math.abs(minutes - count * size) <= TOLERANCE) return `${count}${unit}`;
  }
  return `${Math.round(minutes)}m`;
}

function eventCredits(credits: Json | undefined): Credits | undefined {
  const has = booleanAt(credits, "has_credits");
  return has === undefined ? undefined : { has, unlimited: booleanAt(credits, "unlimited") === true };
}

function isTrue(text: string | null): boolean {
  return text?.toLowerCase() === "true" || text === "1";
}

/** A plain decimal number. */
function numberOf(text: string | null): number | undefined {
  return text !== null && /^\d{1,12}(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
