// The parsing of an event stream exactly as the HTML standard words it (section 9.2.6 "Interpreting an event stream"),
// step by step and slowly. It shares nothing with the reader it is compared with.

export interface DispatchedEvent {
  /** "" where the standard would say `message`. */
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

export interface Interpretation {
  readonly events: readonly DispatchedEvent[];
  /** Milliseconds, once the stream has named them. */
  readonly reconnectionTime: number | undefined;
}

const BOM = "\uFEFF";

/** "Streams must be decoded using the UTF-8 decode algorithm", which strips one leading byte order mark. */
function utf8Decode(bytes: Uint8Array): string {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  return text.startsWith(BOM) ? text.slice(1) : text;
}

/** `end-of-line = ( cr lf / cr / lf )`; what is behind the last one is no line. */
function linesOf(stream: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (let at = 0; at < stream.length; at += 1) {
    const char = stream.charAt(at);
    if (char === "\r" || char === "\n") {
      if (char === "\r" && stream.charAt(at + 1) === "\n") at += 1;
      lines.push(line);
      line = "";
    } else line += char;
  }
  return lines;
}

export function interpret(bytes: Uint8Array): Interpretation {
  const events: DispatchedEvent[] = [];
  let dataBuffer = "";
  let eventTypeBuffer = "";
  let lastEventIdBuffer = "";
  let reconnectionTime: number | undefined;

  const dispatch = (): void => {
    // "If the data buffer is an empty string, set the data buffer and the event type buffer to the empty string."
    if (dataBuffer === "") {
      eventTypeBuffer = "";
      return;
    }
    // "If the data buffer's last character is a U+000A LINE FEED, remove the last character."
    const data = dataBuffer.endsWith("\n") ? dataBuffer.slice(0, -1) : dataBuffer;
    events.push({ type: eventTypeBuffer, data, lastEventId: lastEventIdBuffer });
    dataBuffer = "";
    eventTypeBuffer = "";
  };

  const processField = (field: string, value: string): void => {
    if (field === "event") eventTypeBuffer = value;
    else if (field === "data") dataBuffer += `${value}\n`;
    else if (field === "id") {
      if (!value.includes("\0")) lastEventIdBuffer = value;
    } else if (field === "retry" && /^[0-9]+$/.test(value)) reconnectionTime = Number.parseInt(value, 10);
  };

  for (const line of linesOf(utf8Decode(bytes))) {
    if (line === "") {
      dispatch();
    } else if (line.startsWith(":")) {
      // "Ignore the line."
    } else if (line.includes(":")) {
      const colon = line.indexOf(":");
      const value = line.slice(colon + 1);
      processField(line.slice(0, colon), value.startsWith(" ") ? value.slice(1) : value);
    } else processField(line, "");
  }
  // "Once the end of the file is reached, any pending data must be discarded."
  return { events, reconnectionTime };
}
