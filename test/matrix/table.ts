// The table of cells that a test run prints: a row for each feature, a column for each pair.

export class Table {
  readonly #rows: readonly string[];
  readonly #columns: readonly string[];
  readonly #passed = new Map<string, { how: string; times: number }>();

  constructor(rows: readonly string[], columns: readonly string[]) {
    this.#rows = rows;
    this.#columns = [...new Set(columns)];
  }

  /** One way of a cell, streaming or not, has passed. */
  passed(row: string, column: string, how: string): void {
    const key = `${row}\n${column}`;
    this.#passed.set(key, { how, times: (this.#passed.get(key)?.times ?? 0) + 1 });
  }

  /** A cell counts when both of its ways have passed. */
  text(): string {
    const lines = this.#rows.map((row) => [row, ...this.#columns.map((column) => this.#cell(row, column))]);
    const all = [["", ...this.#columns], ...lines];
    const widths = (all[0] ?? []).map((_, at) => Math.max(...all.map((line) => line[at]?.length ?? 0)));
    return all
      .map((line) =>
        line
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join("  ")
          .trimEnd(),
      )
      .join("\n");
  }

  #cell(row: string, column: string): string {
    const found = this.#passed.get(`${row}\n${column}`);
    return found?.times === 2 ? found.how : "FAILED";
  }
}
