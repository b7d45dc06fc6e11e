// Message contents of Chat Completions: parts to blocks and back.

import type { Block, MediaBlock, TextBlock } from "../../core/hub.ts";
import { isObject, objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { fileDataOf, fileName, inlineUrl, sourceOf } from "../../core/media.ts";
import { invalid, unsupported } from "../../core/request-fields.ts";

const PARAM = "messages";

/** The blocks of a content; `where` says whose, for the error message. */
export function decodeContent(content: Json | undefined, where: string): Block[] {
  if (content === undefined || content === null) return [];
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (!Array.isArray(content)) throw invalid(PARAM, `${where}.content must be a string or an array`);
  return content.map((part, at) => decodePart(part, `${where}.content[${at}]`));
}

/** The same where nothing but text may stand. */
export function decodeTexts(content: Json | undefined, where: string): TextBlock[] {
  return decodeContent(content, where).map((block) => {
    if (block.type === "text") return block;
    throw invalid(PARAM, `${where}.content may hold text only`);
  });
}

function decodePart(part: Json, where: string): Block {
  if (!isObject(part)) throw invalid(PARAM, `${where} must be an object`);
  switch (part["type"]) {
    case "text":
      return { type: "text", text: needed(part, "text", where) };
    case "refusal":
      return { type: "refusal", text: needed(part, "refusal", where) };
    case "image_url": {
      const image = objectAt(part, "image_url") ?? {};
      const source = sourceOf(stringAt(part, "image_url") ?? needed(image, "url", where));
      return { type: "media", kind: "image", source, detail: stringAt(image, "detail") };
    }
    case "file":
      return decodeFile(objectAt(part, "file") ?? {}, where);
    case "input_audio":
      throw unsupported(PARAM, `audio (${where})`);
    default:
      throw unsupported(PARAM, `a part of type ${JSON.stringify(part["type"] ?? null)} (${where})`);
  }
}

function needed(holder: JsonObject, key: string, where: string): string {
  const text = stringAt(holder, key);
  if (text === undefined) throw invalid(PARAM, `${where}: ${key} must be a string`);
  return text;
}

function decodeFile(file: JsonObject, where: string): MediaBlock {
  const name = stringAt(file, "filename");
  const id = stringAt(file, "file_id");
  if (id !== undefined)
    return { type: "media", kind: "file", source: { type: "stored", id, platform: "openai" }, name };
  return { type: "media", kind: "file", source: fileDataOf(needed(file, "file_data", where)), name };
}

/** Parts where there are several, plain text for a single text. `param`: the client's field, for errors. */
export function encodeContent(blocks: readonly Block[], param: string): Json {
  const [first] = blocks;
  if (blocks.length === 0) return "";
  return blocks.length === 1 && first?.type === "text"
    ? first.text
    : blocks.map((block) => encodePart(block, param));
}

export function encodePart(block: Block, param: string): JsonObject {
  switch (block.type) {
    case "text":
      return { type: "text", text: block.text };
    case "refusal":
      return { type: "text", text: block.text };
    case "media":
      return block.kind === "image" ? encodeImage(block, param) : encodeFile(block, param);
    case "native":
      throw unsupported(param, `a block of type ${JSON.stringify(block.native.value["type"] ?? null)}`);
  }
}

function encodeImage({ source, detail }: MediaBlock, param: string): JsonObject {
  if (source.type === "stored" || source.type === "text") throw unsupported(param, "an image kept as a file");
  const url = source.type === "inline" ? inlineUrl(source) : source.url;
  return { type: "image_url", image_url: detail === undefined ? { url } : { url, detail } };
}

function encodeFile({ source, name }: MediaBlock, param: string): JsonObject {
  switch (source.type) {
    case "inline":
      return {
        type: "file",
        file: { file_data: inlineUrl(source), filename: fileName(name, source.mime) },
      };
    case "stored":
      if (source.platform !== "openai") throw unsupported(param, "a file kept by another provider");
      return { type: "file", file: { file_id: source.id } };
    case "text":
      return { type: "text", text: source.text };
    case "url":
      throw unsupported(param, "a file given as a link");
  }
}
