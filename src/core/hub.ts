// The hub between protocols: ordered items and blocks, nobody's wire format. One item is one item of a
// conversation as the finest-grained protocol tells it; nothing is merged when it is read, so that a longer
// conversation always reads as the shorter one and more. Unset is told from default everywhere.

import type { Platform, Protocol } from "./account.ts";
import type { GatewayError } from "./errors.ts";
import type { Usage } from "./exchange.ts";
import type { JsonObject } from "./json.ts";

/** A boundary of the provider's prompt cache: everything up to here may be reused. */
export interface CacheMark {
  readonly ttl: string | undefined;
}

/** Something that one protocol knows and the others do not, as it stood there. */
export interface Native {
  readonly protocol: Protocol;
  readonly value: JsonObject;
}

/** Reasoning that only its issuer can read or check. It goes back to the account it came from, or nowhere. */
export interface Seal {
  readonly protocol: Protocol;
  readonly kind: "signature" | "redacted" | "encrypted";
  /** As the upstream sealed it, or in an envelope (core/envelope.ts) while a client of another protocol has it. */
  readonly data: string;
  /** The account it came from, as an envelope names it; undefined where the protocol alone is known. */
  readonly issuer?: string | undefined;
}

export type Annotation =
  | {
      readonly type: "url";
      readonly url: string;
      readonly title: string;
      /** Offsets into the text block, in characters. */
      readonly start: number;
      readonly end: number;
    }
  | { readonly type: "native"; readonly native: Native };

export interface TextBlock {
  readonly type: "text";
  readonly text: string;
  readonly annotations?: readonly Annotation[] | undefined;
  readonly cache?: CacheMark | undefined;
}

/** The model's own words of refusal, as far as a protocol tells them from other text. */
export interface RefusalBlock {
  readonly type: "refusal";
  readonly text: string;
}

export type MediaSource =
  /** Base64; `mime` is undefined where the sender did not say. */
  | { readonly type: "inline"; readonly mime: string | undefined; readonly data: string }
  | { readonly type: "url"; readonly url: string }
  /** A file kept by the provider; no other platform can read it. */
  | { readonly type: "stored"; readonly id: string; readonly platform: Platform }
  | { readonly type: "text"; readonly text: string };

export interface MediaBlock {
  readonly type: "media";
  readonly kind: "image" | "file";
  readonly source: MediaSource;
  /** File name or title. */
  readonly name?: string | undefined;
  /** Resolution wish for an image. */
  readonly detail?: string | undefined;
  readonly cache?: CacheMark | undefined;
}

export interface NativeBlock {
  readonly type: "native";
  readonly native: Native;
}

export type Block = TextBlock | RefusalBlock | MediaBlock | NativeBlock;

export interface InstructionItem {
  readonly type: "instruction";
  readonly role: "system" | "developer";
  /** True for what stood apart from the conversation, false for what stood in its place within it. */
  readonly top: boolean;
  readonly blocks: readonly TextBlock[];
}

export interface MessageItem {
  readonly type: "message";
  readonly role: "user" | "assistant";
  readonly blocks: readonly Block[];
  /** `commentary` or `final_answer`, where a protocol tells them apart. */
  readonly phase?: string | undefined;
}

export interface ReasoningItem {
  readonly type: "reasoning";
  /** Visible text in the parts it came in; may be empty. */
  readonly parts: readonly string[];
  readonly seals: readonly Seal[];
}

/** Which tool a call or a choice means. */
export interface ToolName {
  readonly name: string;
  readonly namespace?: string | undefined;
}

export interface CallItem extends ToolName {
  readonly type: "call";
  readonly kind: "function" | "custom";
  readonly id: string;
  /** A function's arguments as the original JSON text, a custom tool's input as it is. Never re-serialised. */
  readonly input: string;
  readonly cache?: CacheMark | undefined;
}

export interface ResultItem {
  readonly type: "result";
  readonly callId: string;
  readonly blocks: readonly Block[];
  readonly failed: boolean;
  readonly cache?: CacheMark | undefined;
}

/** An item that only its own protocol can replay, such as a search the provider ran. */
export interface NativeItem {
  readonly type: "native";
  readonly native: Native;
}

export type Item = InstructionItem | MessageItem | ReasoningItem | CallItem | ResultItem | NativeItem;

interface ClientTool extends ToolName {
  readonly description?: string | undefined;
  readonly cache?: CacheMark | undefined;
}

export interface FunctionTool extends ClientTool {
  readonly kind: "function";
  /** JSON Schema as the client wrote it. */
  readonly parameters: JsonObject | undefined;
  readonly strict: boolean | undefined;
  /**
   * The tool type this function stands in for, where the client's protocol has a type of its own for a tool
   * that the client runs (`local_shell`, …); calls go back to the client in that type's form.
   */
  readonly builtin?: string | undefined;
}

export interface CustomTool extends ClientTool {
  readonly kind: "custom";
  /** The grammar its input follows; undefined for free text. */
  readonly grammar: { readonly syntax: string; readonly definition: string } | undefined;
}

export interface SearchTool {
  readonly kind: "search";
  readonly allowedDomains: readonly string[] | undefined;
  readonly blockedDomains: readonly string[] | undefined;
  /** `{country, region, city, timezone}` */
  readonly location: JsonObject | undefined;
  /** `low`, `medium` or `high`. */
  readonly contextSize: string | undefined;
  readonly maxUses: number | undefined;
}

/** A tool the provider runs, without a counterpart elsewhere. */
export interface HostedTool {
  readonly kind: "hosted";
  /** Its type, for the error message. */
  readonly name: string;
  readonly native: Native;
}

export type Tool = FunctionTool | CustomTool | SearchTool | HostedTool;

export type ToolChoice =
  | { readonly type: "auto" | "none" | "required" }
  | { readonly type: "one"; readonly tool: ToolName }
  | { readonly type: "allowed"; readonly required: boolean; readonly tools: readonly ToolName[] }
  /** A hosted tool, forced. */
  | { readonly type: "hosted"; readonly name: string };

export interface ReasoningWish {
  /** `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`. */
  readonly effort: string | undefined;
  /** Thinking tokens, where the client gave a number. */
  readonly budget: number | undefined;
  /** `auto`, `concise` or `detailed` where it is to be shown, `none` where it is not. */
  readonly summary: string | undefined;
  /** Whether the client can carry sealed reasoning to its next request. */
  readonly sealed: boolean;
}

export type OutputFormat =
  | { readonly type: "text" | "json" }
  | {
      readonly type: "schema";
      readonly name: string | undefined;
      readonly description: string | undefined;
      readonly schema: JsonObject;
      readonly strict: boolean | undefined;
    };

/** Who asks and how the provider is to treat it; advisory all of it. */
export interface Identity {
  readonly user: string | undefined;
  readonly safetyId: string | undefined;
  readonly metadata: JsonObject | undefined;
  readonly tier: string | undefined;
  readonly cacheKey: string | undefined;
  readonly cacheRetention: string | undefined;
  readonly cacheOptions: JsonObject | undefined;
}

/** A request. Undefined means that the client did not say. */
export interface Prompt {
  /** Whose request it was; answers go back in it. */
  readonly protocol: Protocol;
  readonly items: readonly Item[];
  readonly tools: readonly Tool[];
  readonly choice: ToolChoice | undefined;
  readonly parallelCalls: boolean | undefined;
  readonly maxOutput: number | undefined;
  /** Texts at which the answer ends, cut off before them. */
  readonly stop: readonly string[];
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly topK: number | undefined;
  /** Alternatives wanted for each token; undefined: no log probabilities. */
  readonly logprobs: number | undefined;
  readonly reasoning: ReasoningWish;
  readonly format: OutputFormat | undefined;
  readonly verbosity: string | undefined;
  readonly identity: Identity;
  /** Whether a streamed answer tells its usage. */
  readonly tellUsage: boolean;
  /** What the client sent that no other protocol has and that only tunes the answer, by field name. */
  readonly dropped: readonly string[];
  /** The client's own body, for protocols whose answers repeat it. */
  readonly request: JsonObject;
}

export interface CallHead extends ToolName {
  readonly type: "call";
  readonly kind: "function" | "custom";
  readonly id: string;
}

/** What a block of an answer is, known when it begins. */
export type BlockHead =
  | { readonly type: "text"; readonly phase?: string | undefined }
  | { readonly type: "refusal" }
  | { readonly type: "reasoning" }
  | CallHead;

export type StopReason =
  | "done"
  | "stop_string"
  | "tool_call"
  | "length"
  /** The context window is full. */
  | "window"
  /** Withheld by a safety system. */
  | "safety"
  /** The provider's own tool loop paused. */
  | "pause"
  /** Cut for another reason. */
  | "cut";

export interface Stop {
  readonly reason: StopReason;
  /** The stop string that was met, where it is known. */
  readonly sequence?: string | undefined;
  /** Why a safety system stepped in: category and explanation. */
  readonly refusal?: JsonObject | undefined;
  /** The upstream's own word for it. */
  readonly word?: string | undefined;
}

/** An error as an upstream told it; `status` is what it amounts to. A Fault is one, too. */
export interface StreamError {
  readonly status: number | undefined;
  readonly type: string;
  readonly code: string | null | undefined;
  readonly message: string;
  readonly param: string | null | undefined;
  readonly retryAfterMs?: number | undefined;
}

/**
 * One step of an answer: `start`, blocks one after another without overlap, then exactly one of `end` and
 * `error`. A block is opened, grows, and is closed before the next opens; text blocks are never empty.
 */
export type StreamEvent =
  | {
      readonly type: "start";
      /** The upstream's id of the answer; "" when it gave none. */
      readonly id: string;
      readonly model: string;
      /** Counts that are known before the answer begins. */
      readonly usage?: Partial<Usage> | undefined;
    }
  | { readonly type: "block_open"; readonly block: BlockHead }
  | {
      readonly type: "delta";
      readonly text: string;
      /** `{token, logprob, bytes, top_logprobs}` for each token of the text. */
      readonly logprobs?: readonly JsonObject[] | undefined;
    }
  /** Within a reasoning block: what follows is its next part. */
  | { readonly type: "part" }
  /** About the open text block. */
  | { readonly type: "annotation"; readonly annotation: Annotation }
  /** About the open reasoning block. */
  | { readonly type: "seal"; readonly seal: Seal }
  | {
      readonly type: "block_close";
      /** False for a call whose input was cut off. */
      readonly whole: boolean;
    }
  /** An item between blocks that only its own protocol can tell. */
  | { readonly type: "native"; readonly native: Native }
  | {
      readonly type: "end";
      readonly stop: Stop;
      readonly usage: Usage | undefined;
      /** The service tier that was used, in the upstream's word. */
      readonly tier?: string | undefined;
    }
  | { readonly type: "error"; readonly error: StreamError | GatewayError };
