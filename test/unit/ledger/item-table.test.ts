import * as fc from "fast-check";
import { expect, test } from "vitest";

import { type ItemState, ItemTable } from "../../../src/ledger/item-table.ts";

test("an item that was never set is pending, however far out it lies", () => {
  const table = new ItemTable();
  expect([table.state(0), table.state(9_999_999)]).toEqual(["pending", "pending"]);
});

test("a completed item stays completed and keeps its place", () => {
  const table = new ItemTable();
  table.set(3, "completed", 70);
  table.set(3, "failed", 90);
  expect([table.state(3), table.offset(3), table.failed]).toEqual(["completed", 70, 0]);
});

test("offsets beyond 4 GB are kept exactly", () => {
  const table = new ItemTable();
  table.set(1, "completed", 2 ** 40 + 1);
  expect(table.offset(1)).toBe(2 ** 40 + 1);
});

test("agrees with a map of states for any sequence of outcomes, beyond its first capacity too", () => {
  const index = fc.oneof(fc.nat(8), fc.nat(20_000));
  const step = fc.record({
    index,
    state: fc.constantFrom("completed" as const, "failed" as const),
    offset: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = new ItemTable();
      const model = new Map<number, { state: ItemState; offset: number }>();
      for (const { index, state, offset } of steps) {
        table.set(index, state, offset);
        if (model.get(index)?.state !== "completed") model.set(index, { state, offset });
      }
      const ended = [...model.values()].map(({ state }) => state);
      expect([table.completed, table.failed]).toEqual([
        ended.filter((state) => state === "completed").length,
        ended.filter((state) => state === "failed").length,
      ]);
      for (const { index } of steps) {
        for (const near of [index - 1, index, index + 1]) {
          expect(table.state(near)).toBe(model.get(near)?.state ?? "pending");
        }
        expect(table.offset(index)).toBe(model.get(index)?.offset);
      }
    }),
  );
});
