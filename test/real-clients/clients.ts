// How each client is started without a terminal, pointed at a gateway, with a home of its own and no way to the outside.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { clientOf, type Pointing } from "../../src/cli/clients.ts";
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

/** As `env` tells users to. */
function pointing(client: ClientName, { url, model }: Setting): Pointing {
  return clientOf(client).point({ url, key: CLIENT_KEY, model, models: [] });
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
    start: (setting, prompt) => ({
      command: [
        setting.program,
        "-p",
        prompt,
        "--model",
        setting.model,
        "--permission-mode",
        "acceptEdits",
        "--allowedTools",
        "Read,Edit,Write,Bash",
      ],
      env: {
        ...plainEnv(setting),
        ...pointing("claude", setting).set,
        CLAUDE_CONFIG_DIR: join(setting.home, "claude"),
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
        DISABLE_AUTOUPDATER: "1",
        CLAUDE_CODE_MAX_RETRIES: "3",
      },
    }),
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
      const { program, work, home } = setting;
      const { set, args } = pointing("codex", setting);
      mkdirSync(join(home, "codex"), { recursive: true });
      const shown = picture === undefined ? [] : ["-i", picture];
      return {
        command: [
          program,
          ...args,
          "exec",
          "--skip-git-repo-check",
          "--dangerously-bypass-approvals-and-sandbox",
          "-C",
          work,
          prompt,
          ...shown,
        ],
        env: { ...plainEnv(setting), CODEX_HOME: join(home, "codex"), ...set },
      };
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
      const { program, home } = setting;
      const { set } = pointing("opencode", setting);
      const config = join(home, "opencode.json");
      put(config, JSON.stringify({ autoupdate: false, permission: "allow" }));
      const shown = picture === undefined ? [] : ["--file", picture];
      return {
        command: [program, "run", prompt, ...shown],
        env: { ...plainEnv(setting), OPENCODE_CONFIG: config, ...set, OPENCODE_DISABLE_AUTOUPDATE: "1" },
      };
    },
  },
};
