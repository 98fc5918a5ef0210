import { describe, expect, test } from "vitest";

import { ItemTable } from "../../../src/ledger/item-table.ts";
import type { Outcome } from "../../../src/outcome.ts";
import { Window } from "../../../src/queue/window.ts";
import { Recording } from "../../../src/run/recording.ts";
import { settle } from "../../fakes/fake-clock.ts";
import { anItem, anOutcome } from "../../fakes/outcomes.ts";

function aDisk(): PromiseWithResolvers<void> {
  return Promise.withResolvers();
}

/** A ledger whose disk writes when the test says so. */
function aDesk(indexes: readonly number[]) {
  const window = new Window();
  for (const index of indexes) window.put(anItem(index));
  const wanted = new Set(indexes);
  const items = new ItemTable();
  const written: Outcome[] = [];
  const told: [index: number, model: string | undefined, isInWindow: boolean][] = [];
  let disk = aDisk();
  const recording = new Recording(
    {
      ledger: {
        record: async (outcome) => {
          await disk.promise;
          written.push(outcome);
          items.set(outcome.index, outcome.kind, 0);
        },
        items,
      },
      wanted,
      onOutcome: ({ index }, model) => {
        told.push([index, model, window.has(index)]);
        wanted.delete(index);
      },
    },
    window,
  );
  return {
    recording,
    window,
    written,
    items,
    told,
    sync: () => disk.resolve(),
    fail: (error: Error) => {
      disk.reject(error);
      disk = aDisk();
    },
  };
}

describe("writing outcomes down", () => {
  test("frees an item's place when its outcome is on disk and was told", async () => {
    const { recording, window, told, sync } = aDesk([0]);
    let isDone = false;
    const recorded = recording.record(anOutcome(0)).then(() => (isDone = true));
    await settle();
    expect([isDone, window.has(0), told]).toEqual([false, true, []]);
    sync();
    await recorded;
    expect([window.has(0), told]).toEqual([false, [[0, "gpt-4o-mini", true]]]);
  });

  test("drops a second outcome of the same item, before and after the first is on disk", async () => {
    const { recording, written, told, sync } = aDesk([0]);
    const both = [
      recording.record(anOutcome(0, "first")),
      recording.record(anOutcome(0, "second")),
    ];
    sync();
    await Promise.all(both);
    await recording.record(anOutcome(0, "third"));
    expect(written).toEqual([anOutcome(0, "first")]);
    expect(told).toHaveLength(1);
  });

  test("frees the place of an item that is wanted no longer", async () => {
    const { recording, window, written, items } = aDesk([0]);
    window.put(anItem(5));
    items.set(5, "completed", 0);
    await recording.record(anOutcome(5));
    expect([window.has(5), written]).toEqual([false, []]);
  });

  test.each(["pending", "failed"] as const)(
    "keeps the answer to an item that is %s, though this sitting is not about it: it is paid for",
    async (state) => {
      const { recording, written, told, items, sync } = aDesk([0]);
      if (state === "failed") items.set(5, state, 0);
      sync();
      await recording.record(anOutcome(5));
      expect([written, told]).toEqual([[anOutcome(5)], []]);
    },
  );

  test("knows no model of an item that is not in its window", async () => {
    const { recording, window, told, sync } = aDesk([0]);
    window.release(0);
    sync();
    await recording.record(anOutcome(0));
    expect(told).toEqual([[0, undefined, false]]);
  });

  test("keeps an item that the disk did not take, so that it can be recorded later", async () => {
    const { recording, window, written, told, sync, fail } = aDesk([0]);
    const recorded = recording.record(anOutcome(0));
    fail(new Error("no space"));
    await expect(recorded).rejects.toThrow("no space");
    expect([window.has(0), told]).toEqual([true, []]);
    sync();
    await recording.record(anOutcome(0));
    expect(written).toHaveLength(1);
  });
});
