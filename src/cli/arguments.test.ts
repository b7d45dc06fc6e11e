import { expect, test } from "bun:test";
import { parseConfigPath, readArguments, UsageError } from "./arguments.ts";

test("the config path is given with one dash, two, or in short, before or after other words", () => {
  for (const args of [
    ["-config", "x.json"],
    ["--config", "x.json"],
    ["-config=x.json"],
    ["--config=x.json"],
    ["-c", "x.json"],
    ["login", "NAME", "-config", "x.json"],
    ["-config", "first.json", "--watch", "-config", "x.json"],
  ])
    expect(parseConfigPath(args, { SUB2API_CONFIG: "env.json" })).toBe("x.json");
});

test("without the option the environment decides, then config.json", () => {
  expect(parseConfigPath([], { SUB2API_CONFIG: "env.json" })).toBe("env.json");
  expect(parseConfigPath([], { SUB2API_CONFIG: "" })).toBe("config.json");
  expect(parseConfigPath(["serve", "--json"], {})).toBe("config.json");
});

test("what follows -- belongs to somebody else", () => {
  expect(parseConfigPath(["run", "codex", "--", "-config", "theirs.json"], {})).toBe("config.json");
  expect(readArguments(["--", "-config"], {}).positionals).toEqual(["-config"]);
});

test("an option without its value is wrong usage", () => {
  expect(() => parseConfigPath(["-config"], {})).toThrow(UsageError);
  expect(() => parseConfigPath(["-config="], {})).toThrow(UsageError);
});

test("unknown options are wrong usage for the command that reads them", () => {
  expect(() => readArguments(["--yess"], { yes: { type: "boolean" } })).toThrow(UsageError);
  expect(readArguments(["-h", "word"], {})).toMatchObject({ values: { help: true }, positionals: ["word"] });
});
