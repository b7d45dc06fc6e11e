// A content that is either a text or a list of typed parts, as several protocols write it.

import type { Block, MediaBlock, TextBlock } from "./hub.ts";
import { isObject, stringAt } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import { fileDataOf } from "./media.ts";
import { invalid, unsupported } from "./request-fields.ts";

/** Where in the request something stands: the body's field, and the path for the message. */
export interface Place {
  readonly param: string;
  readonly path: string;
}

/** Reads a part; undefined for a type that the protocol does not have here. */
export type PartReader = (part: JsonObject, place: Place) => Block | undefined;

/** @throws GatewayError `invalid_request`, or `unsupported_field` for a part of an unknown type */
export function readContent(content: Json | undefined, place: Place, readPart: PartReader): Block[] {
  const { param, path } = place;
  if (content === undefined || content === null) return [];
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (!Array.isArray(content)) throw invalid(param, `${path} must be a string or an array`);
  return content.map((part: Json, at) => {
    const inner = { param, path: `${path}[${at}]` };
    if (!isObject(part)) throw invalid(param, `${inner.path} must be an object`);
    const block = readPart(part, inner);
    if (block !== undefined) return block;
    throw unsupported(param, `a part of type ${JSON.stringify(part["type"] ?? null)} (${inner.path})`);
  });
}

/** The same where nothing but text may stand. */
export function readTexts(content: Json | undefined, place: Place, readPart: PartReader): TextBlock[] {
  return readContent(content, place, readPart).map((block) => {
    if (block.type === "text") return block;
    throw invalid(place.param, `${place.path} may hold text only`);
  });
}

export function neededText(part: JsonObject, key: string, { param, path }: Place): string {
  const text = stringAt(part, key);
  if (text === undefined) throw invalid(param, `${path}: ${key} must be a string`);
  return text;
}

/** `{filename}` with `file_id` or `file_data`. */
export function readFile(file: JsonObject, place: Place): MediaBlock {
  const name = stringAt(file, "filename");
  const id = stringAt(file, "file_id");
  const source =
    id === undefined
      ? fileDataOf(neededText(file, "file_data", place))
      : ({ type: "stored", id, platform: "openai" } as const);
  return { type: "media", kind: "file", source, name };
}

/** Parts, or plain text for a single text. */
export function writeContent(blocks: readonly Block[], writePart: (block: Block) => JsonObject): Json {
  const [first] = blocks;
  if (first === undefined) return "";
  return blocks.length === 1 && first.type === "text" ? first.text : blocks.map(writePart);
}

/** That a block of another protocol cannot be written here. */
export function foreignBlock(block: Block & { type: "native" }, param: string): Error {
  return unsupported(param, `a block of type ${JSON.stringify(block.native.value["type"] ?? null)}`);
}

/** The id of a file that is kept by the platform it is written for. */
export function ownFile(source: MediaBlock["source"] & { type: "stored" }, param: string): string {
  if (source.platform === "openai") return source.id;
  throw unsupported(param, "a file kept by another provider");
}
