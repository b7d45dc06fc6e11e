// What a command may touch of the process it runs in, so that tests need no child process.

export interface Output {
  write(text: string): unknown;
}

export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Missing when nobody can be asked. */
  readonly stdin?: NodeJS.ReadableStream | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** What a command answers to its shell. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** How this program is called, as it was started: for lines that are to be typed. */
export function programName(env: Io["env"]): string {
  return env["npm_lifecycle_event"] === "start" ? "npm start --" : "sub2api_simple";
}
