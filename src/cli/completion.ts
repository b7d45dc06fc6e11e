// `completion`: what a shell completes, made from the commands' own help, so that it says what they say.

import type { Io } from "./io.ts";
import { EXIT } from "./io.ts";
import { runCommand } from "./run-command.ts";
import { type Shell, shellNamed } from "./shells.ts";

const HELP = `Usage: sub2api_simple completion bash|zsh|fish|pwsh

Prints what makes a shell complete commands, options and their values.

  -h, --help                   this text

Examples:
  source <(sub2api_simple completion bash)                    in ~/.bashrc; likewise zsh, in ~/.zshrc
  sub2api_simple completion fish > ~/.config/fish/completions/sub2api_simple.fish
  sub2api_simple completion pwsh | Out-String | Invoke-Expression

Exit codes: 0 done, 2 wrong usage.
`;

export type Commands = Readonly<
  Record<string, { readonly run: (args: string[], io: Io) => Promise<number>; readonly does: string }>
>;

interface Option {
  /** With their dashes, such as `--shell`. */
  readonly flags: readonly string[];
  /** The words that it takes, when it takes no others. */
  readonly values: readonly string[];
  readonly takesFile: boolean;
}

interface Described {
  readonly name: string;
  readonly does: string;
  /** What may stand behind the command, when only these may. */
  readonly words: readonly string[];
  readonly options: readonly Option[];
}

export function createCompletionCommand(
  commands: () => Commands,
): (args: string[], io: Io) => Promise<number> {
  return (args, io) =>
    runCommand(args, io, { help: HELP, options: {}, words: 1 }, async ({ words: [name = ""] }) => {
      const shell = shellNamed(name);
      const described: Described[] = [];
      for (const [each, { run, does }] of Object.entries(commands())) {
        let help = "";
        const kept = { write: (text: string) => (help += text) };
        await run(["--help"], { ...io, stdout: kept, stderr: kept });
        described.push({ name: each, does, words: wordsIn(help), options: optionsIn(help) });
      }
      io.stdout.write(SCRIPTS[shell](described));
      return EXIT.done;
    });
}

/** `env claude|codex` takes these; `explain ID|last` takes others too. */
function wordsIn(help: string): readonly string[] {
  const first = /^Usage: \S+ \S+ (\S+\|\S+)/.exec(help)?.[1]?.split("|") ?? [];
  return first.filter((word) => word === word.toLowerCase());
}

function optionsIn(help: string): readonly Option[] {
  return [...help.matchAll(/^ {2}(-[\w-]+(?:, -[\w-]+)*)(?: (\S+))?/gm)].map(
    ([, flags = "", takes = ""]) => ({
      flags: flags.split(", "),
      values: takes.includes("|") ? takes.split("|") : [],
      takesFile: takes === "FILE",
    }),
  );
}

const PROGRAM = "sub2api_simple";
const longest = ({ flags }: Option): readonly string[] =>
  flags.filter((flag) => /^(?:--|-config)/.test(flag));

function bash(commands: readonly Described[]): string {
  const all = commands.flatMap(({ options }) => options);
  const files = new Set(all.flatMap(({ flags, takesFile }) => (takesFile ? flags : [])));
  const valued = new Map(all.flatMap(({ flags, values }) => flags.map((flag) => [flag, values] as const)));
  const cases = [...valued].filter(([, values]) => values.length > 0);
  return `_${PROGRAM}() {
  local now=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} words=
  case $before in
    ${[...files].join("|")}) COMPREPLY=($(compgen -f -- "$now")); return ;;
${cases.map(([flag, values]) => `    ${flag}) COMPREPLY=($(compgen -W "${values.join(" ")}" -- "$now")); return ;;`).join("\n")}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(({ name }) => name).join(" ")} --help --version"
  else
    case \${COMP_WORDS[1]} in
${commands.map((each) => `      ${each.name}) words="${[...each.words, ...each.options.flatMap(longest)].join(" ")}" ;;`).join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$now"))
}
complete -o default -F _${PROGRAM} ${PROGRAM}
`;
}

/** Zsh runs what is made for bash. */
function zsh(commands: readonly Described[]): string {
  return `autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`;
}

function fish(commands: readonly Described[]): string {
  const quoted = (text: string): string => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
  const lines = commands.flatMap(({ name, does, words, options }) => {
    const here = `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c ${PROGRAM} -f -n __fish_use_subcommand -a ${name} -d ${quoted(does)}`,
      ...(words.length > 0 ? [`${here} -f -a ${quoted(words.join(" "))}`] : []),
      ...options.map(({ flags, values, takesFile }) => {
        const [long = ""] = flags.filter((flag) => flag.startsWith("--"));
        const taken = takesFile ? " -r -F" : values.length > 0 ? ` -x -a ${quoted(values.join(" "))}` : "";
        return `${here} -l ${long.slice(2)}${taken}`;
      }),
    ];
  });
  return `${lines.join("\n")}\n`;
}

function pwsh(commands: readonly Described[]): string {
  const listed = (words: readonly string[]): string => `@(${words.map((word) => `'${word}'`).join(", ")})`;
  const values = commands
    .flatMap(({ options }) => options)
    .filter((option) => option.values.length > 0)
    .flatMap((option) => longest(option).map((flag) => `'${flag}' = ${listed(option.values)}`));
  return `Register-ArgumentCompleter -Native -CommandName ${PROGRAM} -ScriptBlock {
  param($word, $ast, $at)
  $commands = @{
${commands.map((each) => `    '${each.name}' = ${listed([...each.words, ...each.options.flatMap(longest)])}`).join("\n")}
  }
  $values = @{
${[...new Set(values)].map((line) => `    ${line}`).join("\n")}
  }
  $given = @($ast.CommandElements | ForEach-Object { $_.ToString() })
  $before = if ($word) { $given[-2] } else { $given[-1] }
  $known = if ($values.ContainsKey($before)) { $values[$before] }
    elseif ($given.Count -gt 1 -and $commands.ContainsKey($given[1])) { $commands[$given[1]] }
    else { $commands.Keys | Sort-Object }
  $known | Where-Object { $_ -like "$word*" } | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}
`;
}

const SCRIPTS: Readonly<Record<Shell, (commands: readonly Described[]) => string>> = {
  bash,
  zsh,
  fish,
  pwsh,
};
