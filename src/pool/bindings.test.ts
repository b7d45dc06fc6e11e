import { expect, test } from "bun:test";
import { memoryRecords } from "../../test/support/memory-records.ts";
import { VirtualClock } from "../../test/support/virtual-clock.ts";
import { Bindings } from "./bindings.ts";
import { HOUR, MINUTE } from "./rig.test.ts";

function opened(): { readonly clock: VirtualClock; readonly bindings: Bindings } {
  const clock = new VirtualClock();
  return { clock, bindings: new Bindings({ kind: "sticky", ttlMs: HOUR, clock, records: memoryRecords() }) };
}

test("bindings that are over make room for those that come, and do not pile up", () => {
  const { clock, bindings } = opened();
  for (let number = 0; number < 5_000; number += 1) {
    clock.advance(MINUTE);
    bindings.bind(`conversation ${number}`, "a");
  }
  expect(bindings.size).toBeLessThan(70);
});

test("bindings in use stay, however many come and go beside them", () => {
  const { clock, bindings } = opened();
  for (let number = 0; number < 1_000; number += 1) {
    clock.advance(MINUTE);
    bindings.bind("the one", "a");
    bindings.bind(`another ${number}`, "b");
  }
  expect(bindings.get("the one")?.account).toBe("a");
  expect(bindings.get("another 0")).toBeUndefined();
  expect(bindings.get("another 999")?.account).toBe("b");
});
