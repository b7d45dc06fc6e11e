// Puts a new master key in place of the one that seals the logins.
//
// The new key comes into the file before anything is sealed with it, the old one leaves it when nothing is sealed with
// it any more; in between both are there, and every process that seals reads the file anew. So whatever is cut off
// can be run again, and each login opens at every moment.

import { randomUUID } from "node:crypto";
import type { LoginStore, SealedLogin } from "../core/login.ts";
import { keyId, keyIdOf, openWith, sealWith } from "./vault.ts";
import { type KeyRing, newKey, openKeyRing, replaceKeyFile, type VaultOptions } from "./vault-keys.ts";

export interface RotateOptions extends VaultOptions {
  readonly store: LoginStore;
}

export interface Rotated {
  /** How many logins are sealed with the new key. */
  readonly logins: number;
  /** Where the new key lies. */
  readonly key: string;
}

/** A login that others change all the time is tried so often. */
const TRIES = 50;
/** Not an account's name: the right to change the key. */
const RIGHT = ":master-key";
const RIGHT_MS = 60_000;

/**
 * Makes a new key and seals every login with it. Where the operator gives the keys (environment, credential), the
 * first of several is the new one, and none is made.
 * @throws with words for the operator; nothing is lost then, and it can be run again
 */
export async function rotateKey(options: RotateOptions): Promise<Rotated> {
  const { store } = options;
  const owner = randomUUID();
  // Two at once would each take the other's new key out of the file.
  const held = (): Promise<boolean> => store.claim(RIGHT, owner, RIGHT_MS);
  if (!(await held()))
    throw new Error(
      "the master key is being changed at this moment, or was until a minute ago; wait, and run this again",
    );
  try {
    return await rotate(store, openKeyRing(options), held);
  } finally {
    await store.renounce(RIGHT, owner);
  }
}

async function rotate(store: LoginStore, ring: KeyRing, held: () => Promise<boolean>): Promise<Rotated> {
  const known = ring.all();
  for (const login of await everyLogin(store)) keyOf(login, known);
  const keys = keysFor(ring, known);
  const seal = async (): Promise<number> => {
    const logins = await everyLogin(store);
    for (const { account } of logins) {
      await sealAnew(store, account, keys);
      if (!(await held()))
        throw new Error("this took too long, and somebody else began with it; run it again");
    }
    return logins.length;
  };
  await seal();
  // Once more, since a process may have kept a first login with the old key while the new one came.
  const logins = await seal();
  const [current] = keys;
  if (ring.path !== undefined && current !== undefined) replaceKeyFile(ring.path, [current]);
  return { logins, key: ring.place };
}

/** The new key first, then those that open what is there. */
function keysFor(ring: KeyRing, known: readonly Buffer[]): readonly Buffer[] {
  // Of a rotation that was cut off the new key goes on being the new one.
  if (known.length > 1) return known;
  if (ring.path === undefined)
    throw new Error(
      `the key is given by ${ring.place}: put a new one there, before the old one and a comma, and run this again`,
    );
  const both = [newKey(), ...known];
  replaceKeyFile(ring.path, both);
  return both;
}

async function everyLogin(store: LoginStore): Promise<readonly SealedLogin[]> {
  const accounts = [...(await store.versions()).keys()];
  const logins = await Promise.all(accounts.map((account) => store.load(account)));
  return logins.filter((login) => login !== undefined);
}

async function sealAnew(store: LoginStore, account: string, keys: readonly Buffer[]): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const login = await store.load(account);
    if (login === undefined) return;
    const sealed = sealedAnew(login, keys);
    if (sealed === undefined) return;
    // A process that kept a newer login meanwhile has sealed it with the new key or with the old one: look again.
    if (await store.commit({ account, version: login.version + 1, sealed })) return;
  }
  throw new Error(`the login of ${account} changes all the time; run this again`);
}

/** Undefined when the new key has sealed it. */
function sealedAnew(login: SealedLogin, keys: readonly Buffer[]): string | undefined {
  const [current] = keys;
  const key = keyOf(login, keys);
  if (current === undefined || key === current) return undefined;
  const { account, version } = login;
  return sealWith(current, { account, version: version + 1 }, openWith(key, login));
}

/** @throws when none of the keys has sealed it */
function keyOf(login: SealedLogin, keys: readonly Buffer[]): Buffer {
  const id = keyIdOf(login);
  const key = keys.find((each) => keyId(each) === id);
  if (key !== undefined) return key;
  throw new Error(
    `the login of ${login.account} was sealed with another master key (${id ?? "none"}); bring that key back, or sign the account in anew, and run this again`,
  );
}
