// The literal WHATWG reading of a whole event stream (HTML §9.2.6), for comparison: what it dispatches, as name and data.
// An id or a retry time is read by nobody here; an event without its blank line is none.

export function literal(text: string): [string, string][] {
  const events: [string, string][] = [];
  let name = "";
  let data: string[] = [];
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/);
  for (const line of lines.slice(0, -1)) {
    if (line === "") {
      if (data.length > 0) events.push([name, data.join("\n")]);
      name = "";
      data = [];
      continue;
    }
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "event") name = value ?? "";
    if (field === "data") data.push(value ?? "");
  }
  return events;
}
