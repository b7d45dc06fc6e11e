import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command } from "../../src/cli/commands.ts";
import { testIo } from "../../src/cli/test-io.ts";

const SHELLS = ["bash", "zsh", "fish", "pwsh"];

async function said(...args: readonly string[]): Promise<string> {
  const io = await testIo();
  expect([await command(args, io), io.err()]).toEqual([0, ""]);
  return io.out();
}

async function commands(): Promise<string[]> {
  return [...(await said("--help")).matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name = ""]) => name);
}

test("every command and every long option of its help is in every shell's script", async () => {
  const names = await commands();
  expect(names.length).toBeGreaterThan(12);
  for (const shell of SHELLS) {
    const script = await said("completion", shell);
    for (const name of names) {
      expect(script).toContain(name);
      const help = await said(name, "--help");
      for (const [, option = ""] of help.matchAll(/^ {2}(?:-\w, )?--([\w-]+)/gm))
        expect(script).toMatch(
          shell === "fish" ? new RegExp(`from ${name}' -l ${option}\\b`) : `--${option}`,
        );
    }
  }
});

/** What bash offers for a line whose last word is being typed. */
async function offered(...words: readonly string[]): Promise<string[]> {
  const io = await testIo();
  const script = join(io.cwd, "completion.bash");
  await writeFile(script, await said("completion", "bash"));
  const line = words.map((word) => `'${word}'`).join(" ");
  const ask = `. ${script}; COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _sub2api_simple; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const child = Bun.spawnSync(["bash", "--norc", "-c", ask], { cwd: io.cwd });
  expect(child.stderr.toString()).toBe("");
  return child.stdout.toString().trim().split("\n");
}

test("bash offers commands, what they take, their options and the options' values", async () => {
  expect(await offered("sub2api_simple", "st")).toEqual(["status"]);
  expect(await offered("sub2api_simple", "env", "c")).toEqual(["claude", "codex"]);
  expect(await offered("sub2api_simple", "usage", "--c")).toEqual(["--csv", "--config"]);
  expect(await offered("sub2api_simple", "env", "claude", "--shell", "f")).toEqual(["fish"]);
  expect(await offered("sub2api_simple", "check", "-config", "compl")).toEqual(["completion.bash"]);
});

test("a shell that is not known is named, with those that are", async () => {
  const io = await testIo();
  expect(await command(["completion", "bahs"], io)).toBe(2);
  expect(io.err()).toMatch(/bash/);
});
