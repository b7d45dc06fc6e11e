// Hub events written as the events of a response; every block is an item of its own.

import { answerKey } from "../../core/answer-ids.ts";
import { faultOfEvent } from "../../core/encode-stages.ts";
import { isShowable } from "../../core/envelope.ts";
import type { Annotation, BlockHead, CallHead, Prompt, Stop, StreamEvent } from "../../core/hub.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { EncodeContext } from "../../core/ports.ts";
import { writeTotals } from "../../core/usage.ts";
import { builtinMembers } from "./builtins.ts";
import { beginResponse } from "./echo.ts";
import { GROWTHS, Grammar } from "./grammar.ts";
import { itemId } from "./leave-out.ts";
import type { GrowthName } from "./grammar.ts";
import { USAGE_NAMES, failedError } from "./wire.ts";

type Event<T extends StreamEvent["type"]> = StreamEvent & { type: T };

/** The item under construction. */
interface OpenItem {
  readonly head: BlockHead;
  /** What the item has from its beginning. */
  readonly item: JsonObject;
  /** How its text grows; undefined for a call that is told only when it is whole. */
  readonly growth: GrowthName | undefined;
  /** The text of the open part. */
  text: string;
  partOpen: boolean;
  readonly parts: JsonObject[];
  readonly annotations: JsonObject[];
  readonly logprobs: JsonObject[];
  /** What its issuer has sealed. */
  sealed: string | undefined;
}

const INCOMPLETE: Partial<Readonly<Record<Stop["reason"], string>>> = {
  length: "max_output_tokens",
  window: "max_output_tokens",
  cut: "max_output_tokens",
  safety: "content_filter",
};

export class ResponseWriter {
  readonly #prompt: Prompt;
  readonly #context: EncodeContext;
  readonly #grammar = new Grammar();
  readonly #output: JsonObject[] = [];
  #response: JsonObject | undefined;
  #key = "";
  #items = 0;
  #open: OpenItem | undefined;

  constructor(prompt: Prompt, context: EncodeContext) {
    this.#prompt = prompt;
    this.#context = context;
  }

  readonly write = (event: StreamEvent): readonly JsonObject[] => {
    this.#begin(event);
    this.#step(event);
    return this.#grammar.take();
  };

  #begin(event: StreamEvent): void {
    if (this.#response !== undefined) return;
    this.#key = answerKey(event.type === "start" ? event.id : "", this.#context.requestId);
    const response = beginResponse(this.#prompt, this.#context, `resp_${this.#key}`);
    this.#response = response;
    this.#grammar.emit("response.created", { response });
    this.#grammar.emit("response.in_progress", { response });
  }

  #step(event: StreamEvent): void {
    const open = this.#open;
    switch (event.type) {
      case "block_open":
        return this.#openItem(event.block);
      case "delta":
        return open && this.#delta(open, event);
      case "part":
        return open && this.#closePart(open);
      case "annotation":
        return open && this.#annotate(open, event.annotation);
      case "seal":
        if (open !== undefined && this.#prompt.reasoning.sealed && isShowable(event.seal, "responses"))
          open.sealed = event.seal.data;
        return;
      case "block_close":
        return open && this.#closeItem(open, event.whole);
      case "end":
        return this.#end(event);
      case "error": {
        const error = failedError(faultOfEvent(event.error, "openai"));
        return this.#finish("response.failed", { status: "failed", error });
      }
      default:
    }
  }

  #newId(prefix: string): string {
    return itemId(prefix, this.#key, this.#items++);
  }

  #openItem(head: BlockHead): void {
    const { item, growth } = this.#beginItem(head);
    const open = {
      head,
      item,
      growth,
      text: "",
      partOpen: false,
      parts: [],
      annotations: [],
      logprobs: [],
      sealed: undefined,
    };
    this.#open = open;
    if (growth !== undefined) this.#grammar.openItem({ ...item, status: "in_progress" });
    if (growth === "text" || growth === "refusal") this.#openPart(open);
  }

  #beginItem(head: BlockHead): Pick<OpenItem, "item" | "growth"> {
    switch (head.type) {
      case "reasoning":
        return { growth: "summary", item: { id: this.#newId("rs"), type: "reasoning", summary: [] } };
      case "call":
        return this.#beginCall(head);
      default: {
        const message = { id: this.#newId("msg"), type: "message", role: "assistant", content: [] };
        const phased = head.type === "text" && head.phase !== undefined;
        return { growth: head.type, item: phased ? { ...message, phase: head.phase } : message };
      }
    }
  }

  #beginCall(head: CallHead): Pick<OpenItem, "item" | "growth"> {
    const { id: call_id, name, namespace, kind } = head;
    if (this.#builtin(head) !== undefined) return { growth: undefined, item: { call_id } };
    const named = namespace === undefined ? { call_id, name } : { call_id, name, namespace };
    return kind === "custom"
      ? { growth: "input", item: { id: this.#newId("ctc"), type: "custom_tool_call", ...named, input: "" } }
      : {
          growth: "arguments",
          item: { id: this.#newId("fc"), type: "function_call", ...named, arguments: "" },
        };
  }

  /** The built-in tool that a call is really for. */
  #builtin(head: CallHead): string | undefined {
    const tool = this.#prompt.tools.find(
      (each) => each.kind === "function" && each.name === head.name && each.namespace === head.namespace,
    );
    return tool?.kind === "function" ? tool.builtin : undefined;
  }

  #openPart(open: OpenItem): void {
    if (open.growth === undefined) return;
    open.partOpen = true;
    open.text = "";
    this.#grammar.openPart(open.growth, partOf(open));
  }

  #delta(open: OpenItem, { text, logprobs }: Event<"delta">): void {
    if (open.growth === undefined) return void (open.text += text);
    if (open.head.type === "reasoning" && !open.partOpen) this.#openPart(open);
    open.text += text;
    if (logprobs === undefined) return this.#grammar.delta(open.growth, text);
    const tokens = logprobs.map(encodeToken);
    open.logprobs.push(...tokens);
    this.#grammar.delta(open.growth, text, { logprobs: tokens });
  }

  #annotate(open: OpenItem, annotation: Annotation): void {
    // Another protocol's own annotations are of shapes that strict clients break at.
    if (annotation.type !== "url" || open.growth !== "text") return;
    const { url, title, start, end } = annotation;
    const encoded = { type: "url_citation", url, title, start_index: start, end_index: end };
    this.#grammar.annotation(encoded, open.annotations.length);
    open.annotations.push(encoded);
  }

  #closePart(open: OpenItem): void {
    if (!open.partOpen || open.growth === undefined) return;
    const part = partOf(open);
    this.#grammar.closePart(open.growth, open.text, part);
    open.parts.push(part);
    open.partOpen = false;
  }

  #closeItem(open: OpenItem, whole: boolean): void {
    this.#closePart(open);
    const item = { ...this.#finished(open), status: whole ? "completed" : "incomplete" };
    if (open.growth === undefined) this.#grammar.openItem(item);
    else if (open.head.type === "call") this.#grammar.closePart(open.growth, open.text, {});
    this.#grammar.closeItem(item);
    this.#output.push(item);
    this.#open = undefined;
  }

  #finished(open: OpenItem): JsonObject {
    const { head, item, growth, parts, text, sealed } = open;
    if (head.type === "reasoning")
      return { ...item, summary: parts, ...(sealed === undefined ? {} : { encrypted_content: sealed }) };
    if (head.type !== "call") return { ...item, content: parts };
    if (growth !== undefined) return { ...item, [GROWTHS[growth].whole]: text };
    const members = builtinMembers(this.#builtin(head) ?? "", text);
    return { id: this.#newId("fc"), ...item, ...members };
  }

  #end({ stop, usage, tier }: Event<"end">): void {
    const reason = INCOMPLETE[stop.reason];
    const counted = usage === undefined ? null : writeTotals(usage, USAGE_NAMES);
    const members = tier === undefined ? { usage: counted } : { usage: counted, service_tier: tier };
    if (reason === undefined) this.#finish("response.completed", { status: "completed", ...members });
    else
      this.#finish("response.incomplete", {
        status: "incomplete",
        incomplete_details: { reason },
        ...members,
      });
  }

  #finish(type: string, members: JsonObject): void {
    this.#grammar.emit(type, { response: { ...this.#response, output: this.#output, ...members } });
  }
}

/** The open part as it stands: empty when it opens, whole when it closes. */
function partOf(open: OpenItem): JsonObject {
  const { text, growth } = open;
  if (growth === "refusal") return { type: "refusal", refusal: text };
  if (growth === "summary") return { type: "summary_text", text };
  return {
    type: "output_text",
    text,
    annotations: [...open.annotations],
    logprobs: [...open.logprobs],
  };
}

/** Delta events have no bytes for a token, finished parts always do. */
function encodeToken(token: JsonObject): JsonObject {
  const whole = (each: JsonObject): JsonObject => ({ ...each, bytes: each["bytes"] ?? [] });
  const top = Array.isArray(token["top_logprobs"]) ? token["top_logprobs"] : [];
  return { ...whole(token), top_logprobs: top.map((each: Json) => whole(each as JsonObject)) };
}
