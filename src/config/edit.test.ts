import { describe, expect, test } from "bun:test";
import { chmod, mkdtemp, readdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { arrayAt, isObject } from "../core/json.ts";
import { addAccount, ConfigEditError, readConfigText, replaceConfig } from "./edit.ts";
import { good, TOKEN } from "./fixtures.ts";
import { parseConfig } from "./parse.ts";

const NEW = { name: "codex", platform: "openai", type: "oauth" };
const ENTRY = '{ "name": "codex", "platform": "openai", "type": "oauth" }';

/** Each config with ENTRY where it belongs. */
const LAYOUTS: readonly (readonly [string, string, string])[] = [
  ["an empty list", '{\n  "accounts": []\n}', `{\n  "accounts": [\n    ${ENTRY}\n  ]\n}`],
  [
    "an empty list with a space in it",
    '{\n  "accounts": [ ],\n}',
    `{\n  "accounts": [\n    ${ENTRY}\n  ],\n}`,
  ],
  [
    "a list with comments only",
    '{\n  "accounts": [\n    // FILL IN\n    // { "x": 1 },\n  ],\n}',
    `{\n  "accounts": [\n    // FILL IN\n    // { "x": 1 },\n    ${ENTRY}\n  ],\n}`,
  ],
  ["a list over empty lines", '{\n  "accounts": [\n  ]\n}', `{\n  "accounts": [\n    ${ENTRY}\n  ]\n}`],
  [
    "a trailing comma and comments beside and below",
    '{\n  "accounts": [\n    { "a": 1 }, // mine\n    // more to come\n  ],\n  // end\n}\n',
    `{\n  "accounts": [\n    { "a": 1 }, // mine\n    ${ENTRY},\n    // more to come\n  ],\n  // end\n}\n`,
  ],
  [
    "no trailing comma and a comment beside",
    '{\n  "accounts": [\n    { "a": 1 } // mine, all\n  ]\n}',
    `{\n  "accounts": [\n    { "a": 1 }, // mine, all\n    ${ENTRY}\n  ]\n}`,
  ],
  [
    "a comma on a line of its own",
    '{\n  "accounts": [\n    { "a": 1 }\n    // ,\n    ,\n  ]\n}',
    `{\n  "accounts": [\n    { "a": 1 }\n    // ,\n    ,\n    ${ENTRY},\n  ]\n}`,
  ],
  [
    "a comment over several lines behind the last account",
    '{\n  "accounts": [\n    { "a": 1 } /* one\n    two ] */\n  ]\n}',
    `{\n  "accounts": [\n    { "a": 1 }, /* one\n    two ] */\n    ${ENTRY}\n  ]\n}`,
  ],
  [
    "accounts over several lines",
    '{\n    "accounts": [\n        {\n            "a": 1,\n        },\n    ],\n}',
    `{\n    "accounts": [\n        {\n            "a": 1,\n        },\n        ${ENTRY},\n    ],\n}`,
  ],
  [
    "brackets that share a line",
    '{\n  "accounts": [{\n    "a": 1\n  }]\n}',
    `{\n  "accounts": [{\n    "a": 1\n  }, ${ENTRY}]\n}`,
  ],
  [
    "a first account beside the bracket",
    '{\n  "accounts": [{ "a": 1 },\n  ]\n}',
    `{\n  "accounts": [{ "a": 1 },\n    ${ENTRY},\n  ]\n}`,
  ],
  ["all on one line", '{ "accounts": [ { "a": 1 } ] }', `{ "accounts": [ { "a": 1 }, ${ENTRY} ] }`],
  ["all on one line with a trailing comma", '{"accounts":[{"a":1},]}', `{"accounts":[{"a":1}, ${ENTRY},]}`],
  ["all on one line and empty", '{"accounts":[]}', `{"accounts":[${ENTRY}]}`],
  ["a comment in the empty list", '{"accounts":[/* none */]}', `{"accounts":[/* none */${ENTRY}]}`],
  [
    "tabs and CRLF",
    '{\r\n\t"x": 1,\r\n\t"accounts": [\r\n\t\t{ "a": 1 }, // mine\r\n\t]\r\n}\r\n',
    `{\r\n\t"x": 1,\r\n\t"accounts": [\r\n\t\t{ "a": 1 }, // mine\r\n\t\t${ENTRY},\r\n\t]\r\n}\r\n`,
  ],
  [
    "tabs, CRLF and an empty list",
    '{\r\n\t// one\r\n\r\n\t"accounts": []\r\n}',
    `{\r\n\t// one\r\n\r\n\t"accounts": [\r\n\t\t${ENTRY}\r\n\t]\r\n}`,
  ],
  ["no accounts at all", '{\n  // none\n  "x": 1\n}', `{\n  // none\n  "x": 1,\n  "accounts": [${ENTRY}]\n}`],
  ["nothing at all", "{}", `{"accounts": [${ENTRY}]}`],
  ["accounts that are null", '{ "accounts": null }', `{ "accounts": [${ENTRY}] }`],
  ["accounts that are an empty text", '{ "accounts": "", }', `{ "accounts": [${ENTRY}], }`],
];

describe("an account is added, and nothing else changes, to a config with", () => {
  for (const [words, before, after] of LAYOUTS)
    test(words, () => {
      expect(addAccount(before, NEW)).toBe(after);
    });
});

test("several accounts can be added one after another", () => {
  const two = addAccount(addAccount('{\n  "accounts": []\n}', NEW), { ...NEW, name: "b" });
  expect(two).toBe(`{\n  "accounts": [\n    ${ENTRY},\n    ${ENTRY.replace("codex", "b")}\n  ]\n}`);
});

test("names with quotes and brackets are written so that they are read again", () => {
  const name = 'a "b" ] // \\ c';
  const parsed = parseConfig(addAccount('{ "accounts": [] }', { ...NEW, name }));
  expect(parsed.ok && isObject(parsed.value) ? arrayAt(parsed.value, "accounts") : undefined).toMatchObject([
    { name },
  ]);
});

test("notes and values with references stay, and the whole is a good config", async () => {
  const before = `{ "_note": "\${NOT_SET}", "auth_tokens": ["${TOKEN}"], "accounts": [] }`;
  const { accounts } = await good(addAccount(before, NEW));
  expect(accounts).toMatchObject([{ name: "codex", platform: "openai", type: "oauth" }]);
});

test("what is no config, or has another thing for accounts, is left alone", () => {
  for (const text of [
    "",
    "[]",
    "{",
    '{ "accounts": {} }',
    '{ "accounts": "x" }',
    '{ "accounts": 1 }',
    '{ "accounts": [], "accounts": [] }',
    '{ "x": 1, "x": 2, "accounts": [] }',
  ])
    expect(() => addAccount(text, NEW)).toThrow(ConfigEditError);
});

async function fileWith(text: string, mode = 0o600): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "edit-")), "config.json");
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

describe("replacing a config", () => {
  test("leaves the new text and no other file", async () => {
    const path = await fileWith("old");
    await replaceConfig(path, "new", "old");
    expect(await readFile(path, "utf8")).toBe("new");
    expect(await readdir(join(path, ".."))).toEqual(["config.json"]);
  });

  test("makes the file private when all the world could read it, and keeps rights that were chosen", async () => {
    const rights: number[] = [];
    for (const mode of [0o644, 0o666, 0o600, 0o400, 0o640, 0o660]) {
      const path = await fileWith("old", mode);
      await replaceConfig(path, "new", "old");
      rights.push((await stat(path)).mode & 0o777);
    }
    expect(rights).toEqual([0o600, 0o600, 0o600, 0o600, 0o640, 0o660]);
  });

  test("changes what a link points to, and leaves the link", async () => {
    const path = await fileWith("old");
    const link = join(path, "..", "link.json");
    await symlink("config.json", link);
    await replaceConfig(link, "new", "old");
    expect([await readlink(link), await readFile(path, "utf8")]).toEqual(["config.json", "new"]);
  });

  test("does not undo what somebody else wrote meanwhile", async () => {
    const path = await fileWith("theirs");
    await expect(replaceConfig(path, "new", "old")).rejects.toThrow("changed meanwhile");
    expect(await readFile(path, "utf8")).toBe("theirs");
    expect(await readdir(join(path, ".."))).toEqual(["config.json"]);
  });

  test("says why it cannot be done", async () => {
    const path = await fileWith("old");
    await expect(replaceConfig(`${path}.none`, "new", "old")).rejects.toThrow(
      "it cannot be written (ENOENT)",
    );
  });
});

test("a mark at the beginning of a file is not part of its text, and other encodings are refused", async () => {
  const path = await fileWith("\uFEFF{}");
  expect(await readConfigText(path)).toBe("{}");
  await writeFile(path, Uint8Array.of(0x7b, 0xff, 0x7d));
  await expect(readConfigText(path)).rejects.toThrow(TypeError);
});
