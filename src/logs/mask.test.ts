import { describe, expect, test } from "bun:test";
import { createMask } from "./mask.ts";

const CANARIES = 10_000;
const mask = createMask();

/** The same canaries in every run: what fails can be looked at again. */
function* letters(count: number): Generator<string> {
  let seed = 1;
  for (let made = 0; made < count; made++) {
    let word = "";
    while (word.length < 24) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      word += (seed >>> 8).toString(36);
    }
    yield word.slice(0, 24);
  }
}

const inJson = (value: unknown): string => JSON.stringify(value);

/** Every place in which a secret that nobody registered must still be noticed. */
const PLACES: Readonly<Record<string, (canary: string) => string>> = {
  "an API key": (c) => `cannot use sk-${c} here`,
  "an Anthropic key": (c) => `sk-ant-api03-${c}-_x`,
  "an API key after an escape": (c) => inJson(`line\nsk-${c}`),
  "an API key after a percent escape": (c) => `?q=%20sk-${c}`,
  "a long API key in a word": (c) => `xsk-${c}`,
  "a bearer token": (c) => `sent Bearer ${c} to it`,
  "a bearer token in a URL": (c) => `authorization%3A%20bearer%20${c}`,
  "basic credentials": (c) => `Basic ${c}==`,
  "a JWT": (c) => `eyJhbGciOiJub25lIn0.${c}.${c}`,
  "a JWT cut short": (c) => `token eyJ${c}`,
  "a refresh token": (c) => `got rt_${c} from the issuer`,
  "a dotted refresh token": (c) => `rt.1.${c}.x`,
  "a header": (c) => `x-api-key: ${c}`,
  "a header without spaces": (c) => `X-Api-Key:${c}`,
  "an authorization of another scheme": (c) => `authorization: Digest username="u", response="${c}"\nhost: x`,
  cookies: (c) => `cookie: a=1; session=${c}; b="${c}"`,
  "a set cookie": (c) => `set-cookie: a=${c}; HttpOnly`,
  "headers as an object": (c) => inJson({ authorization: [`Bearer ${c}`, c], "proxy-authorization": c }),
  "headers as a list": (c) => inJson(["x-api-key", c, "host", "h"]),
  "a JSON field": (c) => inJson({ model: "m", api_key: c, stream: true }),
  "a JSON field with quotes in it": (c) => inJson({ password: `a"b\\${c}"` }),
  "a JSON field with spaces": (c) => JSON.stringify({ refresh_token: c }, undefined, 2),
  "JSON in JSON": (c) => inJson({ body: inJson({ client_secret: `x"${c}`, a: 1 }) }),
  "JSON in JSON in JSON": (c) => inJson({ body: inJson({ body: inJson({ token: `"${c}"` }) }) }),
  "a JSON object under a secret name": (c) => inJson({ credentials: { a: { b: 1 }, value: c }, model: "m" }),
  "JSON cut short": (c) => inJson({ access_token: `${c}${c}` }).slice(0, 45),
  "camel case": (c) => inJson({ refreshToken: c, clientSecret: c, apiKey: c }),
  "an AWS secret": (c) => `aws_secret_access_key = ${c}`,
  "a query": (c) => `https://h/p?a=b&access_token=${c}&d=e`,
  "a query in a URL in a query": (c) => `https://h/p?to=https%3A%2F%2Fh%3Faccess_token%3D${c}`,
  "an OAuth callback": (c) => `http://localhost:1455/auth/callback?code=${c}&state=${c}`,
  "an OAuth callback in JSON by Go": (c) => `"/auth/callback?code=${c}\\u0026state=${c}"`,
  "a form": (c) => `code=${c}&code_verifier=${c}&grant_type=authorization_code`,
  "a URL's user": (c) => `proxy socks5://user:${c}@10.0.0.1:1080 is down`,
  "single quotes": (c) => `{'token': '${c}'}`,
  "a password with odd letters": (c) => `password=a,b;${c})`,
};

describe("the mask", () => {
  for (const [place, text] of Object.entries(PLACES)) {
    test(`hides what is in ${place}`, () => {
      for (const canary of letters(Math.ceil(CANARIES / Object.keys(PLACES).length))) {
        expect(mask(text(canary))).not.toContain(canary);
      }
    });
  }

  test("leaves what is no secret", () => {
    for (const text of [
      "max_tokens: 100000 > 8192, which is the maximum",
      "invalid token in position 3",
      '{"usage":{"prompt_tokens":1200,"completion_tokens":30},"model":"gpt-5"}',
      '{"token":null,"stream":true}',
      "the task-runner and the disk-image at claude-sonnet-4-5",
      "main:limit second:ok",
      "write to somebody@example.com",
      "start_time=12 port_a=1 req_0123456789abcdef0123456789abcdef",
      "https://api.example.com/v1/messages?beta=true",
    ])
      expect(mask(text)).toBe(text);
  });

  test("leaves the rest of the text", () => {
    expect(mask('{"model":"m","api_key":"abc","n":1}')).toBe('{"model":"m","api_key":"[secret]","n":1}');
    expect(mask("GET /cb?code=abc&x=1 from 127.0.0.1")).toBe("GET /cb?code=[secret]&x=1 from 127.0.0.1");
    expect(mask("cookie: a=b\r\nhost: x")).toBe("cookie: [secret]\r\nhost: x");
    expect(mask("Incorrect API key provided: sk-abcd1234. Go on")).toBe(
      "Incorrect API key provided: [secret]. Go on",
    );
  });

  test("masks what is masked into itself", () => {
    for (const text of Object.values(PLACES)) {
      const once = mask(text("c4n4ryc4n4ry"));
      expect(mask(once)).toBe(once);
    }
  });

  test("needs time in proportion to the text", () => {
    const pieces = [
      "token",
      "token:",
      '"token":"',
      "sk-",
      "eyJ",
      "eyJa.",
      "rt_",
      "://",
      "://a@",
      "\\",
      '\\"',
      '"',
    ];
    pieces.push(
      "cookie: ",
      "token:[",
      "token:{",
      "bearer ",
      "?code=",
      "basic  ",
      "%3A",
      'token":\\"',
      "a",
      "@",
      " ",
    );
    const known = createMask(new Set(["sk-sk-sk-sk-", "aaaaaaaaaaaaaaaa", "://a@://a@"]));
    const before = performance.now();
    for (const piece of pieces) {
      const text = piece.repeat(Math.ceil(200_000 / piece.length));
      mask(text);
      known(text);
    }
    // 9 MB take well under a second; were anything quadratic, it would be minutes.
    expect(performance.now() - before).toBeLessThan(10_000);
  });
});

describe("a known secret", () => {
  test("is hidden wherever it stands, among 10,000 others", () => {
    const secrets = new Set(letters(CANARIES));
    const hides = createMask(secrets);
    for (const secret of secrets) {
      expect(hides(`a${secret}b ${secret}`)).toBe("a[secret]b [secret]");
    }
  });

  test("is hidden in JSON and in a URL", () => {
    const secret = 'pa"ss\\wo rd/ü';
    const hides = createMask(new Set([secret]));
    expect(hides(JSON.stringify({ note: secret }))).toBe('{"note":"[secret]"}');
    expect(hides(`/x?q=${encodeURIComponent(secret)}`)).toBe("/x?q=[secret]");
  });

  test("is hidden where two overlap, where one is part of another, and where the text cuts it short", () => {
    const hides = createMask(new Set(["abcdefghijkl", "ijklmnopqrst", "abcdefghijklmnop"]));
    expect(hides("-abcdefghijklmnopqrst-")).toBe("-[secret]-");
    expect(hides("-abcdefghijkl-")).toBe("-[secret]-");
    expect(hides("-ijklmnopq")).toBe("-[secret]");
    expect(hides("-ijklmnopq-")).toBe("-ijklmnopq-");
  });

  test("may be added while the log runs", () => {
    const secrets = new Set<string>();
    const hides = createMask(secrets);
    expect(hides("plain-word-secret")).toBe("plain-word-secret");
    secrets.add("plain-word-secret");
    expect(hides("plain-word-secret")).toBe("[secret]");
  });

  test("is not taken for one when it is only a short word", () => {
    expect(createMask(new Set(["none", ""]))("none of them")).toBe("none of them");
  });
});
