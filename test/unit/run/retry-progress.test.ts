import { expect, it } from "vitest";

import { ItemTable } from "../../../src/ledger/item-table.ts";
import { pendingAmong, type Wanted } from "../../../src/ledger/select.ts";
import { watchRetry } from "../../../src/run/retry-progress.ts";

/** A table whose first `completed` items have completed and whose next `failed` ones have failed. */
function aTable(completed: number, failed: number): ItemTable {
  const items = new ItemTable();
  for (let index = 0; index < completed + failed; index += 1) {
    items.set(index, index < completed ? "completed" : "failed", index);
  }
  return items;
}

function retried(indexes: readonly number[]): Wanted {
  const left = new Set(indexes);
  return {
    before: "failed",
    get size() {
      return left.size;
    },
    has: (index) => left.has(index),
    done: (index) => left.delete(index),
  };
}

it("counts those of a retry that complete and those that fail again, and no others", () => {
  const items = aTable(10, 5);
  const wanted = retried([10, 11, 12, 13]);
  const progress = watchRetry(wanted, items);
  expect(progress()).toEqual({ total: 4, completed: 0, failed: 0 });

  items.set(10, "completed", 0);
  items.set(11, "failed", 0);
  items.set(12, "completed", 0);
  for (const index of [10, 11, 12]) wanted.done(index);
  expect(progress()).toEqual({ total: 4, completed: 2, failed: 1 });
});

it("tells nothing of a run", () => {
  const items = aTable(1, 1);
  expect(watchRetry(pendingAmong(items, 5), items)()).toBeNull();
});
