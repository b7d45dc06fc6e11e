// Where an image or a file comes from, as protocols write it into one string: a data: URL (RFC 2397) or a link.

import type { MediaSource } from "./hub.ts";

const DATA_URL = /^data:([^;,]*)(?:;[^;,]*)*;base64,/i;

/** A link or a data: URL as a source. */
export function sourceOf(url: string): MediaSource {
  const head = DATA_URL.exec(url.slice(0, 256));
  if (head === null) return { type: "url", url };
  return { type: "inline", mime: head[1] ?? "", data: url.slice(head[0].length) };
}

/** File data, which may come as bare base64 as well. */
export function fileDataOf(data: string): MediaSource {
  const source = sourceOf(data);
  return source.type === "inline" ? source : { type: "inline", mime: undefined, data };
}

/** An inline source as one string; bare base64 where it came as that. */
export function inlineUrl(source: MediaSource & { type: "inline" }): string {
  return source.mime === undefined ? source.data : `data:${source.mime};base64,${source.data}`;
}

/** File data needs a name; one is made up, the same one every time. */
export function fileName(name: string | undefined, mime: string | undefined): string {
  return name ?? (mime === undefined || mime === "application/pdf" ? "document.pdf" : "document.txt");
}
