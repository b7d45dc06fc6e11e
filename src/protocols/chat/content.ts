// Message contents of Chat Completions: parts to blocks and back.

import {
  foreignBlock,
  neededText,
  ownFile,
  type Place,
  readContent,
  readFile,
  readTexts,
  writeContent,
} from "../../core/content-parts.ts";
import type { Block, MediaBlock, TextBlock } from "../../core/hub.ts";
import { objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { fileName, inlineUrl, sourceOf } from "../../core/media.ts";
import { unsupported } from "../../core/request-fields.ts";

function placeOf(where: string): Place {
  return { param: "messages", path: `${where}.content` };
}

/** The blocks of a message's content; `where` says whose, for the error message. */
export function decodeContent(content: Json | undefined, where: string): Block[] {
  return readContent(content, placeOf(where), decodePart);
}

export function decodeTexts(content: Json | undefined, where: string): TextBlock[] {
  return readTexts(content, placeOf(where), decodePart);
}

function decodePart(part: JsonObject, place: Place): Block | undefined {
  switch (part["type"]) {
    case "text":
      return { type: "text", text: neededText(part, "text", place) };
    case "refusal":
      return { type: "refusal", text: neededText(part, "refusal", place) };
    case "image_url": {
      const image = objectAt(part, "image_url") ?? {};
      const source = sourceOf(stringAt(part, "image_url") ?? neededText(image, "url", place));
      return { type: "media", kind: "image", source, detail: stringAt(image, "detail") };
    }
    case "file":
      return readFile(objectAt(part, "file") ?? {}, place);
    default:
      return undefined;
  }
}

/** `param`: the client's field, for errors. */
export function encodeContent(blocks: readonly Block[], param: string): Json {
  return writeContent(blocks, (block) => encodePart(block, param));
}

export function encodePart(block: Block, param: string): JsonObject {
  switch (block.type) {
    case "text":
    case "refusal":
      return { type: "text", text: block.text };
    case "media":
      return block.kind === "image" ? encodeImage(block, param) : encodeFile(block, param);
    case "native":
      throw foreignBlock(block, param);
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
      return { type: "file", file: { file_id: ownFile(source, param) } };
    case "text":
      return { type: "text", text: source.text };
    case "url":
      throw unsupported(param, "a file given as a link");
  }
}
