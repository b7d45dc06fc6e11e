// Contents of Messages: blocks of the wire to blocks of the hub and back.

import { foreignBlock, neededText, type Place, readContent, readTexts } from "../../core/content-parts.ts";
import type { Block, CacheMark, MediaBlock, MediaSource, TextBlock } from "../../core/hub.ts";
import { arrayAt, isObject, objectAt, stringAt } from "../../core/json.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { unsupported } from "../../core/request-fields.ts";

const PARAM = "messages";

/** The blocks of a content; `path` says whose, for the error message. Empty texts say nothing and stay away. */
export function decodeContent(content: Json | undefined, path: string): Block[] {
  const blocks = readContent(flattened(content), { param: PARAM, path }, decodePart);
  return blocks.filter((block) => block.type !== "text" || block.text !== "");
}

/** @param param the body's field */
export function decodeTexts(content: Json | undefined, path: string, param: string): TextBlock[] {
  return readTexts(content, { param, path }, decodePart).filter((block) => block.text !== "");
}

export function cacheOf(holder: JsonObject): CacheMark | undefined {
  const mark = objectAt(holder, "cache_control");
  return mark && { ttl: stringAt(mark, "ttl") };
}

/** Documents made of parts, and what is told about a document beside its text, as parts of their own. */
function flattened(content: Json | undefined): Json | undefined {
  if (!Array.isArray(content)) return content;
  return content.flatMap((part: Json): readonly Json[] => {
    if (!isObject(part) || part["type"] !== "document") return [part];
    const context = stringAt(part, "context");
    const told = context === undefined || context === "" ? [] : [{ type: "text", text: context }];
    const source = objectAt(part, "source");
    if (source?.["type"] !== "content") return [...told, part];
    const inner = source["content"];
    return [...told, ...(Array.isArray(inner) ? inner : [{ type: "text", text: inner ?? "" }])];
  });
}

function decodePart(part: JsonObject, place: Place): Block | undefined {
  const cache = cacheOf(part);
  switch (part["type"]) {
    case "text":
      return { type: "text", text: neededText(part, "text", place), cache };
    case "image":
      return { type: "media", kind: "image", source: decodeSource(part, place), cache };
    case "document": {
      const name = stringAt(part, "title");
      return { type: "media", kind: "file", source: decodeSource(part, place), name, cache };
    }
    case "search_result":
      return { type: "text", text: foundText(part), cache };
    case "tool_reference":
      return { type: "text", text: `Tool: ${neededText(part, "tool_name", place)}`, cache };
    default:
      return undefined;
  }
}

function decodeSource(part: JsonObject, place: Place): MediaSource {
  const source = objectAt(part, "source") ?? {};
  switch (source["type"]) {
    case "base64":
      return {
        type: "inline",
        mime: stringAt(source, "media_type"),
        data: neededText(source, "data", place),
      };
    case "url":
      return { type: "url", url: neededText(source, "url", place) };
    case "text":
      return { type: "text", text: neededText(source, "data", place) };
    case "file":
      return { type: "stored", id: neededText(source, "file_id", place), platform: "anthropic" };
    default:
      throw unsupported(PARAM, `a source of type ${JSON.stringify(source["type"] ?? null)} (${place.path})`);
  }
}

/** A search result that the client brings: where it is from, then what it says. */
function foundText(part: JsonObject): string {
  const texts = (arrayAt(part, "content") ?? []).map((each) => stringAt(each, "text") ?? "");
  const head = [stringAt(part, "title"), stringAt(part, "source")].filter((text) => text !== undefined);
  return [head.join("\n"), ...texts].filter((text) => text !== "").join("\n\n");
}

/** Blocks for a body; `param`: the client's field, for errors. The API refuses texts of nothing but space. */
export function encodeBlocks(blocks: readonly Block[], param: string): JsonObject[] {
  return blocks.flatMap((block) => {
    if (block.type === "native") {
      if (block.native.protocol !== "messages") throw foreignBlock(block, param);
      return [block.native.value];
    }
    if (block.type === "media") return [encodeMedia(block, param)];
    if (block.text.trim() === "") return [];
    const text = { type: "text", text: block.text };
    return [block.type === "text" ? marked(text, block.cache) : text];
  });
}

/** With its cache mark, if it has one. */
export function marked(block: JsonObject, cache: CacheMark | undefined): JsonObject {
  if (cache === undefined) return block;
  const { ttl } = cache;
  return { ...block, cache_control: ttl === undefined ? { type: "ephemeral" } : { type: "ephemeral", ttl } };
}

function encodeMedia(block: MediaBlock, param: string): JsonObject {
  const { kind, name, cache } = block;
  if (kind === "image") return marked({ type: "image", source: encodeImage(block.source, param) }, cache);
  const source = encodeFile(block, param);
  return marked({ type: "document", source, ...(name === undefined ? {} : { title: name }) }, cache);
}

const IMAGES: ReadonlySet<string> = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"]);

function encodeImage(source: MediaSource, param: string): JsonObject {
  if (source.type === "inline") {
    const media_type = (source.mime ?? "").toLowerCase().replace("image/jpg", "image/jpeg");
    if (IMAGES.has(media_type)) return { type: "base64", media_type, data: source.data };
    throw unsupported(param, `an image of type ${JSON.stringify(media_type)}`);
  }
  if (source.type === "text") throw unsupported(param, "an image given as text");
  return encodeElsewhere(source, param);
}

/** What lies at an address, or at the provider. */
function encodeElsewhere(source: MediaSource & { type: "url" | "stored" }, param: string): JsonObject {
  if (source.type === "stored") {
    if (source.platform === "anthropic") return { type: "file", file_id: source.id };
    throw unsupported(param, "a file kept by another provider");
  }
  if (/^https?:/i.test(source.url)) return { type: "url", url: source.url };
  throw unsupported(param, "an address that is not http");
}

const PDF = "application/pdf";
/** `%PDF`, in base64. */
const PDF_START = "JVBERi";

function encodeFile({ source }: MediaBlock, param: string): JsonObject {
  if (source.type === "text") return { type: "text", media_type: "text/plain", data: source.text };
  if (source.type !== "inline") return encodeElsewhere(source, param);
  const { data } = source;
  const mime = source.mime ?? (data.startsWith(PDF_START) ? PDF : "");
  if (mime === PDF) return { type: "base64", media_type: PDF, data };
  if (!mime.startsWith("text/")) throw unsupported(param, `a file of type ${JSON.stringify(mime)}`);
  return { type: "text", media_type: "text/plain", data: Buffer.from(data, "base64").toString("utf8") };
}
