// Reasoning that one upstream has sealed, on its way through a client of another protocol: as text that the client
// keeps where its own protocol has sealed reasoning, and sends back with the next request. Whoever holds no key of
// ours can neither make one nor put it beside other words than those it came with.
//
//     gw1.<kind>.<issuer>.<lengths of the parts, joined by "-">.<mac>.<what the upstream sealed, as it came>

import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { Account } from "./account.ts";
import { bytesOf, indexIn } from "./frame-peek.ts";
import type { Seal } from "./hub.ts";

/** Sealed reasoning of the vendors is base64, which has no dot. */
export const MARK = "gw1.";
const MARKED = bytesOf(`"${MARK}`);
const MAC_BYTES = 16;
const ISSUER_BYTES = 6;
/** What stands between parts where a protocol has one text. */
export const PART_BREAK = "\n\n";

type SealKind = Pick<Seal, "protocol" | "kind">;

const KINDS: Readonly<Record<string, SealKind | undefined>> = {
  m: { protocol: "messages", kind: "signature" },
  d: { protocol: "messages", kind: "redacted" },
  r: { protocol: "responses", kind: "encrypted" },
};
const FORM = /^gw1\.([mdr])\.([\w-]+)\.([\d-]*)\.([\w-]+)\.([^]*)$/;

/** Reasoning as it left its issuer. */
export interface Opened {
  readonly seal: Seal;
  readonly parts: readonly string[];
}

export interface Envelopes {
  /** What tells an account's reasoning from that of others; nobody else can read it. */
  issuerOf(account: Pick<Account, "name" | "provider" | "baseUrl">): string;
  /** @param seal with its issuer */
  close(seal: Seal, parts: readonly string[]): Seal;
  /** Undefined for what was not closed here, was changed, or came back beside other words. */
  open(seal: Seal, parts: readonly string[]): Opened | undefined;
}

/** @param masters the first closes, all of them open; asked for when first needed */
export function createEnvelopes(masters: () => readonly Uint8Array[]): Envelopes {
  let keys: readonly Buffer[] | undefined;
  const all = (): readonly Buffer[] => (keys ??= masters().map(derived));
  const mac = (key: Buffer, words: readonly string[], bytes: number): Buffer =>
    createHmac("sha256", key).update(JSON.stringify(words)).digest().subarray(0, bytes);
  const newest = (): Buffer => all()[0] ?? Buffer.alloc(0);
  const issuers = new WeakMap<object, string>();
  return {
    issuerOf(account) {
      const { name, provider, baseUrl } = account;
      const known = issuers.get(account);
      const issuer = known ?? mac(newest(), [name, provider, baseUrl], ISSUER_BYTES).toString("base64url");
      if (known === undefined) issuers.set(account, issuer);
      return issuer;
    },
    close(seal, parts) {
      const { issuer = "-", data } = seal;
      const kind = letterOf(seal);
      const lengths = parts.map((part) => part.length).join("-");
      const words = [kind, issuer, lengths, parts.join(PART_BREAK), data];
      const proof = mac(newest(), words, MAC_BYTES).toString("base64url");
      return { ...seal, data: `${MARK}${[kind, issuer, lengths, proof, data].join(".")}` };
    },
    open(seal, parts) {
      const [, kind = "", issuer = "", lengths = "", proof = "", data = ""] = FORM.exec(seal.data) ?? [];
      const like = KINDS[kind];
      const text = parts.join(PART_BREAK);
      const given = Buffer.from(proof, "base64url");
      const words = [kind, issuer, lengths, text, data];
      const isOurs = (key: Buffer): boolean =>
        given.length === MAC_BYTES && timingSafeEqual(mac(key, words, MAC_BYTES), given);
      if (like === undefined || !all().some(isOurs)) return undefined;
      return { seal: { ...like, data, issuer }, parts: split(text, lengths) };
    },
  };
}

/** Each use of a master key has a key of its own. */
function derived(master: Uint8Array): Buffer {
  return Buffer.from(hkdfSync("sha256", master, "", "sub2api_simple reasoning v1", 32));
}

function letterOf({ protocol, kind }: Seal): string {
  const found = Object.entries(KINDS).find(([, each]) => each?.protocol === protocol && each.kind === kind);
  if (found === undefined) throw new Error(`${protocol} has no seals of the kind ${kind}`);
  return found[0];
}

function split(text: string, lengths: string): readonly string[] {
  if (lengths === "") return [];
  let at = 0;
  return lengths.split("-").map((length) => {
    const part = text.slice(at, at + Number(length));
    at += part.length + PART_BREAK.length;
    return part;
  });
}

/** A seal as it stands in a client's request: one of `own` protocol, or an envelope, which names another. */
export function readSeal(data: string, own: SealKind): Seal {
  return { ...(KINDS[FORM.exec(data)?.[1] ?? ""] ?? own), data };
}

/** Whether a string in these bytes may begin as one does: nearly no request has any, so this is asked first. */
export function mayHoldMark(body: Uint8Array): boolean {
  return indexIn(body, MARKED, 0) >= 0;
}

/** Whether `data` may be shown to a client of `protocol`: what is sealed for another is not, outside an envelope. */
export function isShowable(seal: Seal, protocol: Seal["protocol"]): boolean {
  return seal.protocol === protocol || seal.data.startsWith(MARK);
}
