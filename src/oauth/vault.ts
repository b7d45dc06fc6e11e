// Seals logins, so that whoever gets hold of the database or of a backup of it holds no login.

import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import type { SealedLogin } from "../core/login.ts";
import { openKeyRing, type VaultOptions } from "./vault-keys.ts";

type Place = Pick<SealedLogin, "account" | "version">;

export interface Vault {
  /**
   * @param isFirst nothing else is sealed yet: only then a key may be made
   * @throws with words for the operator, when there is no key and none can be made
   */
  seal(place: Place, text: string, isFirst: boolean): string;
  /** @throws when it was not sealed by a known key for this account and version */
  open(login: SealedLogin): string;
}

/** `v1.KEY.NONCE.CIPHERTEXT`: which key, and the last two in base64url; the tag is the ciphertext's end. */
const FORM = /^v1\.([0-9a-f]{16})\.([\w-]{16})\.([\w-]{22,})$/;
const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The key is looked up when it is needed, and made when the first login of all is sealed. */
export function openVault(options: VaultOptions): Vault {
  const ring = openKeyRing(options);
  return {
    seal: (place, text, isFirst) => sealWith(ring.current(isFirst), place, text),
    open(login) {
      const id = keyIdOf(login);
      if (id === undefined) throw new Error("it is damaged: it has not the form of a sealed login");
      const key = ring.find((each) => keyId(each) === id);
      if (key === undefined)
        throw new Error(`it was sealed with another master key (${id}), which is not in ${ring.place}`);
      return openWith(key, login);
    },
  };
}

const ids = new WeakMap<Buffer, string>();

/** What tells keys apart and tells nothing about them. */
export function keyId(key: Buffer): string {
  const known = ids.get(key) ?? hashOf(key);
  ids.set(key, known);
  return known;
}

function hashOf(key: Buffer): string {
  return createHash("sha256").update("sub2api_simple master key\0").update(key).digest("hex").slice(0, 16);
}

/** The id of the key that has sealed it; undefined when it is not sealed at all. */
export function keyIdOf({ sealed }: SealedLogin): string | undefined {
  return FORM.exec(sealed)?.[1];
}

export function sealWith(key: Buffer, place: Place, text: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(bindingOf(place));
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return `v1.${keyId(key)}.${nonce.toString("base64url")}.${sealed.toString("base64url")}`;
}

/** @throws when it was not sealed with this key for this account and version */
export function openWith(key: Buffer, login: SealedLogin): string {
  const [, , nonce = "", sealed = ""] = FORM.exec(login.sealed) ?? [];
  const bytes = Buffer.from(sealed, "base64url");
  const end = Math.max(0, bytes.length - TAG_BYTES);
  try {
    const decipher = createDecipheriv(CIPHER, key, Buffer.from(nonce, "base64url"), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(bindingOf(login));
    decipher.setAuthTag(bytes.subarray(end));
    return Buffer.concat([decipher.update(bytes.subarray(0, end)), decipher.final()]).toString("utf8");
  } catch {
    throw new Error("it is damaged, or belongs to another account or version");
  }
}

/** What is sealed opens in its own place only: no row can be put in place of another, or of a newer one. */
function bindingOf({ account, version }: Place): Buffer {
  return Buffer.from(JSON.stringify(["sub2api_simple login v1", account, version]));
}
