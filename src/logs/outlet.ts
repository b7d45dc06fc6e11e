// Between the log and where it is written: while the sink is busy lines wait here, bounded; what does not fit
// is counted and the count is told as soon as there is room.

/** A promise means that the sink is busy until it settles. */
export type Write = (text: string) => void | Promise<void>;

const MAX_CHARS = 1024 * 1024;

/** @param notice the line that tells how many were dropped */
export function createOutlet(write: Write, notice: (dropped: number) => string): (text: string) => void {
  let busy = false;
  let dropped = 0;
  let waiting: string[] = [];
  let chars = 0;

  const send = (text: string): void => {
    busy = true;
    let writing: void | Promise<void> = undefined;
    try {
      writing = write(text);
    } catch {
      // A sink that throws has lost the line; there is nowhere to say so.
    }
    if (writing instanceof Promise) writing.then(resume, resume);
    else busy = false;
  };
  const resume = (): void => {
    busy = false;
    let text = waiting.join("");
    if (dropped > 0) text += notice(dropped);
    waiting = [];
    chars = 0;
    dropped = 0;
    if (text !== "") send(text);
  };
  return (text) => {
    if (!busy) send(text);
    else if (chars + text.length > MAX_CHARS) dropped++;
    else {
      waiting.push(text);
      chars += text.length;
    }
  };
}
