// How the scripted issuer writes its answers: its own, and those a script puts in their place.

import { hangUp, html, json, reset, type HeaderList } from "./answers.ts";
import type { IssuerScript } from "./issuer-types.ts";
import type { Answer } from "./upstream.ts";

const NO_STORE: HeaderList = { "cache-control": "no-store", pragma: "no-cache" };

export function reply(status: number, body: unknown): Answer {
  return json(status, body, NO_STORE);
}

export function page(status: number, title: string, body: string): Answer {
  const text = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}</html>`;
  return html(status, text, NO_STORE);
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

export function redirectTo(location: string, status = 302): Answer {
  return json(status, "", { location, ...Object.fromEntries(Object.entries(NO_STORE)) });
}

/** `own` unless the script has another answer. */
export function answerByScript(script: IssuerScript, own: Answer): Answer {
  const { answer } = script;
  if (answer === undefined) return own;
  if (answer === "silence") return (_request, connection) => connection.hang();
  if (answer === "drop") return reset();
  if (answer === "hang-up") return hangUp();
  if ("redirect" in answer) return redirectTo(answer.redirect, answer.status);
  if ("html" in answer) return html(answer.status, answer.html);
  if ("json" in answer) return json(answer.status, answer.json, { ...NO_STORE, ...answer.headers });
  return own;
}
