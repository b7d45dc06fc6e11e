// The suite of every store, run by each of them.

import { memoryRecords } from "../../src/stores/memory.ts";
import { recordsContract } from "./records.ts";
import { Place } from "./sqlite-files.ts";

recordsContract("memory", () => {
  const records = memoryRecords();
  return { open: () => records, exchanges: () => records.rows, lasting: false, remove: () => {} };
});

recordsContract("SQLite", () => new Place());
