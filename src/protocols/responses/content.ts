// Contents of Responses items: parts to blocks and back.

import type { Block, MediaBlock, TextBlock } from "../../core/hub.ts";
import { isObject, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { fileDataOf, fileName, inlineUrl, sourceOf } from "../../core/media.ts";
import { invalid, unsupported } from "../../core/request-fields.ts";

const PARAM = "input";

/** The blocks of a content or of a tool's output; `where` says whose, for the error message. */
export function decodeContent(content: Json | undefined, where: string): Block[] {
  if (content === undefined || content === null) return [];
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (!Array.isArray(content)) throw invalid(PARAM, `${where} must be a string or an array`);
  return content.map((part, at) => decodePart(part, `${where}[${at}]`));
}

/** The same where nothing but text may stand. */
export function decodeTexts(content: Json | undefined, where: string): TextBlock[] {
  return decodeContent(content, where).map((block) => {
    if (block.type === "text") return block;
    throw invalid(PARAM, `${where} may hold text only`);
  });
}

function decodePart(part: Json, where: string): Block {
  if (!isObject(part)) throw invalid(PARAM, `${where} must be an object`);
  switch (part["type"]) {
    case "input_text":
    case "output_text":
    case "text":
      return { type: "text", text: needed(part, "text", where) };
    case "refusal":
      return { type: "refusal", text: needed(part, "refusal", where) };
    case "input_image":
      return decodeImage(part, where);
    case "input_file":
      return decodeFile(part, where);
    default:
      throw unsupported(PARAM, `a part of type ${JSON.stringify(part["type"] ?? null)} (${where})`);
  }
}

function needed(part: JsonObject, key: string, where: string): string {
  const text = stringAt(part, key);
  if (text === undefined) throw invalid(PARAM, `${where}.${key} must be a string`);
  return text;
}

function decodeImage(part: JsonObject, where: string): MediaBlock {
  const id = stringAt(part, "file_id");
  const source =
    id === undefined
      ? sourceOf(needed(part, "image_url", where))
      : ({ type: "stored", id, platform: "openai" } as const);
  return { type: "media", kind: "image", source, detail: stringAt(part, "detail") };
}

function decodeFile(part: JsonObject, where: string): MediaBlock {
  const name = stringAt(part, "filename");
  const [id, url] = [stringAt(part, "file_id"), stringAt(part, "file_url")];
  if (id !== undefined)
    return { type: "media", kind: "file", source: { type: "stored", id, platform: "openai" }, name };
  if (url !== undefined) return { type: "media", kind: "file", source: { type: "url", url }, name };
  return { type: "media", kind: "file", source: fileDataOf(needed(part, "file_data", where)), name };
}

/** What a user says or a tool gives back: plain text for a single text, else parts. `param`: the client's field, for errors. */
export function encodeInput(blocks: readonly Block[], param: string): Json {
  const [first] = blocks;
  if (blocks.length === 0) return "";
  return blocks.length === 1 && first?.type === "text"
    ? first.text
    : blocks.map((block) => encodePart(block, param));
}

function encodePart(block: Block, param: string): JsonObject {
  switch (block.type) {
    case "text":
    case "refusal":
      return { type: "input_text", text: block.text };
    case "media":
      return block.kind === "image" ? encodeImage(block, param) : encodeFile(block, param);
    case "native":
      throw unsupported(param, `a block of type ${JSON.stringify(block.native.value["type"] ?? null)}`);
  }
}

/** `detail` is required here. */
function encodeImage({ source, detail = "auto" }: MediaBlock, param: string): JsonObject {
  switch (source.type) {
    case "inline":
      return { type: "input_image", image_url: inlineUrl(source), detail };
    case "url":
      return { type: "input_image", image_url: source.url, detail };
    case "stored":
      return { type: "input_image", file_id: ownFile(source, param), detail };
    case "text":
      return { type: "input_text", text: source.text };
  }
}

function encodeFile({ source, name }: MediaBlock, param: string): JsonObject {
  switch (source.type) {
    case "inline":
      return { type: "input_file", filename: fileName(name, source.mime), file_data: inlineUrl(source) };
    case "url":
      return { type: "input_file", file_url: source.url };
    case "stored":
      return { type: "input_file", file_id: ownFile(source, param) };
    case "text":
      return { type: "input_text", text: source.text };
  }
}

function ownFile(source: MediaBlock["source"] & { type: "stored" }, param: string): string {
  if (source.platform !== "openai") throw unsupported(param, "a file kept by another provider");
  return source.id;
}

/** What the model said: the role takes output parts only. */
export function encodeOutput(blocks: readonly Block[], param: string): Json {
  const [first] = blocks;
  if (blocks.length === 1 && first?.type === "text") return first.text;
  return blocks.map((block) => {
    if (block.type === "text") return { type: "output_text", text: block.text, annotations: [] };
    if (block.type === "refusal") return { type: "refusal", refusal: block.text };
    throw unsupported(param, "media in an assistant message");
  });
}
