// Takes a changed config file into use: on SIGHUP and when the file changes. The folder is watched, because
// editors and orchestrators replace the file instead of writing into it, and a watch on a file dies with it.

import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Loaded, loadConfig } from "./load.ts";
import type { Problem } from "./problems.ts";
import type { Config } from "./schema.ts";
import type { Env } from "./substitute.ts";

export interface WatchOptions {
  readonly path: string;
  /** The config in force, so that a change made before the watch began is noticed. */
  readonly current: Config;
  readonly env?: Env;
  /** A valid config that differs from the one before, or any valid config after SIGHUP or a bad file. A
   * config that makes this throw counts as a bad one. */
  onConfig(config: Config): void;
  /** The file is bad or gone; the config before stays in force. */
  onProblems(problems: readonly Problem[]): void;
  /** How long writers are given to finish: before the first look, and before a second look at a bad file. */
  readonly debounceMs?: number;
  /** Some mounts send no events, so the file is also looked at this often. */
  readonly pollMs?: number;
}

export interface ConfigWatch {
  /** Reads the file now and reports what it says, changed or not: what SIGHUP does. */
  reload(): Promise<void>;
  close(): void;
}

/** Watches until `close`. The process may end while it watches. */
export function watchConfig(options: WatchOptions): ConfigWatch {
  const watching = new Watching(options);
  watching.start();
  return watching;
}

class Watching implements ConfigWatch {
  private readonly options: WatchOptions;
  private readonly file: string;
  private readonly debounceMs: number;
  private watcher: FSWatcher | undefined;
  private poll: NodeJS.Timeout | undefined;
  private due: NodeJS.Timeout | undefined;
  private closed = false;
  private last: Config;
  private bad = false;
  private seen: string | undefined;
  /** Looks follow one another; two at once could report an old file after a new one. */
  private queue: Promise<void> = Promise.resolve();

  constructor(options: WatchOptions) {
    this.options = options;
    this.file = resolve(options.path);
    this.debounceMs = options.debounceMs ?? 100;
    this.last = options.current;
  }

  start(): void {
    try {
      this.watcher = watch(dirname(this.file), () => this.schedule());
      this.watcher.on("error", () => this.watcher?.close());
      this.watcher.unref();
    } catch {
      // Without a watch (no inotify left, for example) the poll still sees every change.
    }
    this.poll = setInterval(() => this.schedule(), this.options.pollMs ?? 5000);
    this.poll.unref();
    if (process.platform !== "win32") process.on("SIGHUP", this.onHangUp);
    this.schedule();
  }

  close(): void {
    this.closed = true;
    this.watcher?.close();
    clearInterval(this.poll);
    clearTimeout(this.due);
    process.off("SIGHUP", this.onHangUp);
  }

  reload(): Promise<void> {
    return this.enqueue(() => this.look(true));
  }

  private readonly onHangUp = (): void => void this.reload();

  /** A timer that runs is left running: a folder that never rests must not put the look off for ever. */
  private schedule(): void {
    if (this.closed || this.due !== undefined) return;
    this.due = setTimeout(() => {
      this.due = undefined;
      void this.enqueue(() => this.lookIfChanged());
    }, this.debounceMs);
    this.due.unref();
  }

  private enqueue(look: () => Promise<void>): Promise<void> {
    const done = this.queue.then(look);
    this.queue = done.catch(() => undefined);
    return done;
  }

  private async lookIfChanged(): Promise<void> {
    if ((await fingerprint(this.file)) !== this.seen) await this.look(false);
  }

  private async look(asked: boolean): Promise<void> {
    let loaded = await this.load();
    if (!loaded.ok) {
      await Bun.sleep(this.debounceMs);
      loaded = await this.load();
    }
    if (this.closed) return;
    if (!loaded.ok) return this.refuse(loaded.problems);
    const same = !this.bad && isDeepStrictEqual(loaded.config, this.last);
    if (same && !asked) return;
    try {
      this.options.onConfig(loaded.config);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return this.refuse([{ path: "", message: `could not be taken into use: ${reason}` }]);
    }
    this.bad = false;
    this.last = loaded.config;
  }

  private refuse(problems: readonly Problem[]): void {
    this.bad = true;
    this.options.onProblems(problems);
  }

  private async load(): Promise<Loaded> {
    this.seen = await fingerprint(this.file);
    return loadConfig(this.file, this.options.env);
  }
}

/** Changes when the file is written or replaced, also by way of a link to it. */
async function fingerprint(file: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(file);
    return `${ino}:${size}:${mtimeMs}:${ctimeMs}`;
  } catch {
    return "missing";
  }
}
