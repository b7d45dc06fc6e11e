// Contents of Responses items: parts to blocks and back.

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
import { stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { fileName, inlineUrl, sourceOf } from "../../core/media.ts";
import { unsupported } from "../../core/request-fields.ts";

/** The blocks of a content or of a tool's output; `path` says whose, for the error message. */
export function decodeContent(content: Json | undefined, path: string): Block[] {
  return readContent(content, { param: "input", path }, decodePart);
}

export function decodeTexts(content: Json | undefined, path: string): TextBlock[] {
  return readTexts(content, { param: "input", path }, decodePart);
}

function decodePart(part: JsonObject, place: Place): Block | undefined {
  switch (part["type"]) {
    case "input_text":
    case "output_text":
    case "text":
      return { type: "text", text: neededText(part, "text", place) };
    case "refusal":
      return { type: "refusal", text: neededText(part, "refusal", place) };
    case "input_image":
      return decodeImage(part, place);
    case "input_file": {
      const [url, name] = [stringAt(part, "file_url"), stringAt(part, "filename")];
      if (url === undefined) return readFile(part, place);
      return { type: "media", kind: "file", source: { type: "url", url }, name };
    }
    default:
      return undefined;
  }
}

function decodeImage(part: JsonObject, place: Place): MediaBlock {
  const id = stringAt(part, "file_id");
  const source =
    id === undefined
      ? sourceOf(neededText(part, "image_url", place))
      : ({ type: "stored", id, platform: "openai" } as const);
  return { type: "media", kind: "image", source, detail: stringAt(part, "detail") };
}

/** What a user says or a tool gives back. `param`: the client's field, for errors. */
export function encodeInput(blocks: readonly Block[], param: string): Json {
  return writeContent(blocks, (block) => encodePart(block, param));
}

function encodePart(block: Block, param: string): JsonObject {
  if (block.type === "native") throw foreignBlock(block, param);
  if (block.type !== "media") return { type: "input_text", text: block.text };
  return block.kind === "image" ? encodeImage(block, param) : encodeFile(block, param);
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

/** What the model said: the role takes output parts only. */
export function encodeOutput(blocks: readonly Block[], param: string): Json {
  return writeContent(blocks, (block) => {
    if (block.type === "text") return { type: "output_text", text: block.text, annotations: [] };
    if (block.type === "refusal") return { type: "refusal", refusal: block.text };
    throw unsupported(param, "media in an assistant message");
  });
}
