// What a key or token may look like. Messages never repeat it.

import type { Checked } from "./problems.ts";

const SHORTEST_CLIENT_TOKEN = 16;
const PROVIDER_PREFIX = /^(?:sk-(?:ant-|proj-)?|s2a-)/;
const SAMPLE =
  /^(?:your[-_ ]|replace[-_ ]?(?:with|me)|change[-_ ]?me|placeholder|insert[-_ ]|paste[-_ ]|<|x{4})/;

/** Values that stand in sample configs. They were seen in use, and everybody knows them. */
export function isSample(secret: string): boolean {
  return SAMPLE.test(secret.toLowerCase().replace(PROVIDER_PREFIX, ""));
}

/** A secret that can travel in a header. */
export function headerSecret(text: string): Checked<string> {
  if (!/^[\x21-\x7e]+$/.test(text))
    return {
      message: "holds a space, a line break or a character outside ASCII",
      suggestion: "look for a stray space or line break where it was copied",
    };
  return { value: text };
}

/** A token by which somebody may use the gateway. */
export function clientToken(text: string): Checked<string> {
  const suggestion = "sub2api_simple init makes a random one; so does: openssl rand -hex 32";
  if (isSample(text)) return { message: "is a sample value", suggestion };
  if (text.length < SHORTEST_CLIENT_TOKEN)
    return { message: `is shorter than ${SHORTEST_CLIENT_TOKEN} characters`, suggestion };
  return headerSecret(text);
}
