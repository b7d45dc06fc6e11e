// How each client is started without a terminal, pointed at a gateway, with a home of its own and no way to the outside.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CLIENT_KEY } from "../support/gateway-config.ts";
import type { ClientName } from "./install.ts";
import type { Step } from "./model.ts";

export interface Setting {
  /** Of the gateway, without a path. */
  readonly url: string;
  readonly program: string;
  /** Where the client works. */
  readonly work: string;
  readonly home: string;
  readonly model: string;
}

export interface Start {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What a client calls the tools of the script. */
export interface Hands {
  readonly read: (path: string) => Step;
  /** Replaces a text in a file that has been read. */
  readonly edit: (path: string, from: string, to: string) => Step;
}

interface Client {
  readonly start: (setting: Setting, prompt: string, picture?: string) => Start;
  readonly hands: Hands;
  /** Whether a picture can be given on the command line. */
  readonly takesPicture: boolean;
  /** Its protocol's own vendor. */
  readonly own: "messages" | "responses";
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Nobody listens there: whatever is not meant for this machine fails at once. */
const NOWHERE = "http://127.0.0.1:9";

function plainEnv({ home }: Setting): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    TERM: "dumb",
    CI: "1",
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_DATA_HOME: join(home, "data"),
    XDG_CACHE_HOME: join(home, "cache"),
    XDG_STATE_HOME: join(home, "state"),
    HTTPS_PROXY: NOWHERE,
    NO_PROXY: "127.0.0.1,localhost",
  };
}

const GATEWAY = join(import.meta.dirname, "..", "..", "bin", "sub2api_simple");

/** As users are told to: `eval "$(sub2api_simple env claude)"`, then the client by its name. */
function pointed(client: ClientName, { url, model, program }: Setting, args: readonly string[]): Start {
  const lines = `"$(${GATEWAY} env ${client} --shell bash --url ${url} --model ${model})"`;
  const script = `PATH="${dirname(program)}:$PATH"; eval ${lines} && ${client} "$@"`;
  return { command: ["bash", "-c", script, client, ...args], env: { SUB2API_KEY: CLIENT_KEY } };
}

export const HOW: Readonly<Record<ClientName, Client>> = {
  claude: {
    own: "messages",
    takesPicture: false,
    hands: {
      read: (path) => ({ call: "Read", input: { file_path: path } }),
      edit: (path, from, to) => ({
        call: "Edit",
        input: { file_path: path, old_string: from, new_string: to },
      }),
    },
    start(setting, prompt) {
      const may = ["--permission-mode", "acceptEdits", "--allowedTools", "Read,Edit,Write,Bash"];
      const { command, env } = pointed("claude", setting, ["-p", prompt, ...may]);
      return {
        command,
        env: {
          ...plainEnv(setting),
          ...env,
          CLAUDE_CONFIG_DIR: join(setting.home, "claude"),
          CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
          DISABLE_AUTOUPDATER: "1",
          CLAUDE_CODE_MAX_RETRIES: "3",
        },
      };
    },
  },
  codex: {
    own: "responses",
    takesPicture: true,
    hands: {
      read: (path) => ({ call: "exec_command", input: { cmd: `cat ${path}` } }),
      edit: (path, from, to) => ({
        call: "exec_command",
        input: { cmd: `sed -i 's/${from}/${to}/' ${path}` },
      }),
    },
    start(setting, prompt, picture) {
      const { work, home } = setting;
      mkdirSync(join(home, "codex"), { recursive: true });
      const shown = picture === undefined ? [] : ["-i", picture];
      const may = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"];
      const { command, env } = pointed("codex", setting, ["exec", ...may, "-C", work, prompt, ...shown]);
      return { command, env: { ...plainEnv(setting), CODEX_HOME: join(home, "codex"), ...env } };
    },
  },
  opencode: {
    own: "responses",
    takesPicture: true,
    hands: {
      read: (path) => ({ call: "read", input: { filePath: path } }),
      // What it offers a GPT instead of its `edit`.
      edit: (path, from, to) => ({
        call: "apply_patch",
        input: {
          patchText: `*** Begin Patch\n*** Update File: ${path}\n@@\n-colour: ${from}\n+colour: ${to}\n*** End Patch`,
        },
      }),
    },
    start(setting, prompt, picture) {
      const { home } = setting;
      const config = join(home, "opencode.json");
      put(config, JSON.stringify({ autoupdate: false, permission: "allow" }));
      const shown = picture === undefined ? [] : ["--file", picture];
      const { command, env } = pointed("opencode", setting, ["run", prompt, ...shown]);
      const quiet = { OPENCODE_CONFIG: config, OPENCODE_DISABLE_AUTOUPDATE: "1" };
      return { command, env: { ...plainEnv(setting), ...quiet, ...env } };
    },
  },
};
