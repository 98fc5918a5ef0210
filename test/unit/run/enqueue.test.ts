import { describe, expect, test } from "vitest";

import type { Item } from "../../../src/item.ts";
import { Window } from "../../../src/queue/window.ts";
import { enqueue } from "../../../src/run/enqueue.ts";
import { Hold } from "../../../src/run/hold.ts";
import { anItem } from "../../fakes/outcomes.ts";

interface SceneOptions {
  readonly items: number;
  readonly together?: () => number;
  readonly inHandElsewhere?: readonly number[];
  readonly limits?: { readonly items: number; readonly bytes: number };
}

function aScene({ items, together = () => 1, inHandElsewhere = [], limits }: SceneOptions) {
  const window = new Window(limits);
  const stopping = new AbortController();
  const hold = new Hold(stopping.signal);
  const added: string[] = [];
  const batch = Array.from({ length: items }, (_, index) => anItem(index));
  async function* read(): AsyncGenerator<readonly Item[]> {
    yield batch;
  }
  const enqueued = (): Promise<void> =>
    enqueue({
      items: read(),
      isWanted: () => true,
      isInHandElsewhere: (index) => inHandElsewhere.includes(index),
      together,
      add: async (parcels) => void added.push(...parcels.map(({ id }) => id)),
      window,
      hold,
      stopping: stopping.signal,
    });
  return { window, hold, added, stopping, enqueued };
}

describe("feeding the queue", () => {
  test("sends every item on its way alone where others work on the run too", async () => {
    const { window, added, enqueued } = aScene({ items: 3 });
    await enqueued();
    expect(added).toEqual(["i0", "i1", "i2"]);
    expect(window.parcelOf(2)).toBe("i2");
  });

  test("sends as many together as may travel so at that moment", async () => {
    let most = 4;
    const { window, added, enqueued } = aScene({
      items: 260,
      together: () => {
        const now = most;
        most = 1;
        return now;
      },
    });
    await enqueued();
    expect(added.slice(0, 2)).toEqual(["i0x4", "i4x4"]);
    expect(added.slice(-10)).toEqual(Array.from({ length: 10 }, (_, at) => `i${250 + at}`));
    expect([window.parcelOf(5), window.parcelOf(255)]).toEqual(["i4x4", "i255"]);
  });

  test("waits for what a worker has had in hand since before, as for an item on its way", async () => {
    const { window, added, enqueued } = aScene({ items: 2, inHandElsewhere: [0] });
    await enqueued();
    expect(added).toEqual(["i1"]);
    expect([window.has(0), window.parcelOf(0)]).toEqual([true, "i0"]);
  });

  test("waits for room in the window, and sends what it has before", async () => {
    const { window, added, enqueued } = aScene({ items: 3, limits: { items: 2, bytes: 1_000 } });
    const isOver = enqueued();
    await new Promise((resolve) => setImmediate(resolve));
    expect(added).toEqual(["i0", "i1"]);
    window.release(0);
    window.release(1);
    await isOver;
    expect(added).toEqual(["i0", "i1", "i2"]);
  });

  test("sends nothing while the run is held, and then not what has its outcome", async () => {
    const { window, hold, added, enqueued } = aScene({ items: 2 });
    hold.on();
    const isOver = enqueued();
    await new Promise((resolve) => setImmediate(resolve));
    expect([added, window.parcelOf(0)]).toEqual([[], undefined]);
    window.release(0);
    hold.off();
    await isOver;
    expect(added).toEqual(["i1"]);
  });
});
