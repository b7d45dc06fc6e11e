import { describe, expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import { join } from "node:path";
import { outputSink } from "./sink.ts";

class Stream extends EventEmitter {
  readonly written: string[] = [];
  full = false;

  write(text: string): boolean {
    this.written.push(text);
    return !this.full;
  }
}

/** Lines are written at the end of the turn. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const LARGE = "x".repeat(100_000);

describe("the sink of a stream", () => {
  test("writes the lines of one turn at once", async () => {
    const stream = new Stream();
    const write = outputSink(stream);
    expect(write("a")).toBeUndefined();
    expect(write("b")).toBeUndefined();
    await turn();
    write("c");
    await turn();
    expect(stream.written).toEqual(["ab", "c"]);
  });

  test("is busy from when the stream is full until it has drained", async () => {
    const stream = new Stream();
    const write = outputSink(stream);
    stream.full = true;
    const writing = write(LARGE);
    expect(writing).toBeInstanceOf(Promise);
    stream.full = false;
    stream.emit("drain");
    await writing;
    expect(write("c")).toBeUndefined();
    await turn();
    expect(stream.written).toEqual([LARGE, "c"]);
  });

  test("throws away what comes after the reader has gone", async () => {
    const stream = new Stream();
    stream.full = true;
    const write = outputSink(stream);
    const writing = write(LARGE);
    stream.emit("error", new Error("EPIPE"));
    await writing;
    expect(write("b")).toBeUndefined();
    await turn();
    expect(stream.written).toEqual([LARGE]);
  });

  test("does not stop or fill the process when nobody reads its pipe", async () => {
    const program = `
      import { createLog } from ${JSON.stringify(join(import.meta.dir, "log.ts"))};
      import { outputSink } from ${JSON.stringify(join(import.meta.dir, "sink.ts"))};
      const log = createLog({ write: outputSink(process.stdout), terminal: false, wall: Date.now });
      for (let n = 0; n < 20_000; n++) log({ level: "info", event: "e", fields: { text: "x".repeat(1_000) } });
      process.stderr.write("written");
      process.exit(0);`;
    const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "pipe" });
    expect(await child.stderr.text()).toBe("written");
    expect(await child.exited).toBe(0);
  });
});
