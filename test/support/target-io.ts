// For tests of commands that ask a running gateway: a folder with a config that means it.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLIENT_KEY } from "./gateway-config.ts";
import type { Io } from "../../src/cli/io.ts";
import { type TestIo, testIo } from "../../src/cli/test-io.ts";

interface More {
  readonly key?: string;
  readonly env?: Io["env"];
  readonly answers?: readonly string[];
}

export async function ioFor(url: string, { key = CLIENT_KEY, env, answers }: More = {}): Promise<TestIo> {
  const io = await testIo(env, answers);
  const config = {
    listen_addr: new URL(url).host,
    auth_tokens: [key],
    accounts: [{ api_key: "sk-ant-0123456789" }],
  };
  await writeFile(join(io.cwd, "config.json"), JSON.stringify(config));
  return io;
}
