// What the callback listener answers: the way back from the issuer, and the question about another identity.

import type { Clock } from "../core/ports.ts";
import type { CallbackHandle } from "./callback.ts";
import type { Flow } from "./flow.ts";
import { readForm } from "./form.ts";
import { endPage, messagePage, questionPage, strayPage } from "./pages.ts";
import type { Step } from "./steps.ts";

/** The open flows, as far as these routes need them. */
export interface Answering {
  answer(parameters: URLSearchParams): Promise<{ readonly step: Step; readonly flow: Flow | undefined }>;
  find(by: "form", key: string): Flow | undefined;
}

export function createCallbackRoutes(flows: Answering, clock: Clock): CallbackHandle {
  return (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/auth/callback")
      return request.method === "GET" ? callback(flows, searchParams) : wrongMethod("GET");
    if (pathname === "/auth/confirm")
      return request.method === "POST" ? confirm(flows, request, clock) : wrongMethod("POST");
    return messagePage(404, "Nothing here", "Only the answer of a sign-in is taken here.");
  };
}

async function callback(flows: Answering, parameters: URLSearchParams): Promise<Response> {
  const { step, flow } = await flows.answer(parameters);
  return stepPage(step, flow);
}

async function confirm(flows: Answering, request: Request, clock: Clock): Promise<Response> {
  const form = await readForm(request, clock);
  if (!form.ok) return messagePage(form.status, "Nothing was changed", form.why);
  const flow = flows.find("form", form.fields.get("key") ?? "");
  // A flow of a browser elsewhere is confirmed in its own session.
  if (flow?.mode !== "browser") return strayPage({ kind: "stray", why: "unknown" });
  return endPage(flow.target.name, await flow.confirm(form.fields.get("answer") === "yes"));
}

function stepPage(step: Step, flow: Flow | undefined): Response {
  if (step.kind === "stray" || flow === undefined)
    return strayPage(step.kind === "stray" ? step : { kind: "stray", why: "unknown" });
  const { target, form } = flow;
  return step.kind === "question" ? questionPage(target.name, step, form.text) : endPage(target.name, step);
}

function wrongMethod(allow: string): Response {
  return messagePage(405, "Nothing was changed", `Use ${allow} here.`, { allow });
}
