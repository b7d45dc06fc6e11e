// The findings of `doctor` for people: a line each, and beneath those that are wrong what to do.

import type { Finding } from "./doctor-finding.ts";
import type { Io } from "./io.ts";
import { paintFor, type Style } from "./style.ts";
import { printable } from "./who.ts";

const STYLES: Readonly<Record<Finding["state"], Style>> = { ok: "green", warn: "yellow", fail: "red" };
const SIGNS = { ok: "✓", warn: "!", fail: "✗", arrow: "→" };
const ASCII = { ok: "ok", warn: "! ", fail: "X ", arrow: "->" };

export function page(findings: readonly Finding[], io: Io): string {
  const paint = paintFor(io, io.stdout);
  const signs = isUtf8(io.env) ? SIGNS : ASCII;
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, state, subject, message, advice }) => {
    const head = `${paint(STYLES[state], signs[state])} ${paint("dim", check.padEnd(width))}  `;
    const line = `${head}${paint("bold", printable(subject))}: ${printable(message)}`;
    return advice === undefined ? [line] : [line, `    ${signs.arrow} ${printable(advice)}`];
  });
  return `${lines.join("\n")}\n\n${sum(findings)}\n`;
}

function sum(findings: readonly Finding[]): string {
  const count = (state: Finding["state"], noun: string): string => {
    const { length } = findings.filter((each) => each.state === state);
    return length === 0 ? "" : `${length} ${noun}${length === 1 ? "" : "s"}`;
  };
  const told = [count("fail", "fault"), count("warn", "warning")].filter((each) => each !== "").join(", ");
  return told === "" ? "Everything is well." : `${told}.`;
}

function isUtf8(env: Io["env"]): boolean {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  // Windows has no such variables; its newer terminal shows everything.
  return /utf-?8/i.test(locale) || (env["WT_SESSION"] ?? "") !== "";
}
