import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Item } from "../../src/item.ts";
import { Window, WINDOW_LIMITS } from "../../src/queue/window.ts";

function anItem(index: number, body = "{}"): Item {
  return { index, customId: `row-${index}`, model: "m", body };
}

describe("the window", () => {
  test("holds at most 4 000 items and 32 MB", () => {
    expect(WINDOW_LIMITS).toEqual({ items: 4_000, bytes: 33_554_432 });
  });

  test("is full when it has all its items, however small they are", () => {
    const window = new Window({ items: 2, bytes: 1_000 });
    window.put(anItem(0));
    expect(window.fits(anItem(1))).toBe(true);
    window.put(anItem(1));
    expect(window.fits(anItem(2))).toBe(false);
  });

  test("counts bytes as Redis will hold them, not characters", () => {
    const window = new Window({ items: 10, bytes: 12 });
    window.put(anItem(0, "汉字"));
    expect([window.fits(anItem(1, "汉字")), window.fits(anItem(1, "汉字!"))]).toEqual([
      true,
      false,
    ]);
  });

  test("takes an item that is larger than itself when it is empty, and nothing beside it", () => {
    const window = new Window({ items: 10, bytes: 3 });
    expect(window.fits(anItem(0, "large"))).toBe(true);
    window.put(anItem(0, "large"));
    expect(window.fits(anItem(1, ""))).toBe(false);
  });

  test("wakes all that wait when an item has its outcome", async () => {
    const window = new Window({ items: 1, bytes: 10 });
    window.put(anItem(0));
    const waiting = [window.released(), window.released()];
    window.release(0);
    await Promise.all(waiting);
    expect(window.fits(anItem(1))).toBe(true);
  });

  test("is not woken by an item that it does not hold", async () => {
    const window = new Window();
    window.put(anItem(0));
    let woken = false;
    void window.released().then(() => (woken = true));
    window.release(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(woken).toBe(false);
  });

  test("keeps both bounds and its items through any comings and goings", () => {
    const limits = { items: 3, bytes: 20 };
    const step = fc.record({
      index: fc.nat(6),
      body: fc.string({ unit: "grapheme", maxLength: 6 }),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const window = new Window(limits);
        const model = new Map<number, Item>();
        for (const { index, body } of steps) {
          if (model.delete(index)) {
            window.release(index);
            continue;
          }
          const item = anItem(index, body);
          const held = [...model.values(), item];
          const bytes = held.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
          const fits = held.length === 1 || (held.length <= limits.items && bytes <= limits.bytes);
          expect(window.fits(item)).toBe(fits);
          if (!fits) continue;
          window.put(item);
          model.set(index, item);
        }
        expect([window.size, window.indexes()]).toEqual([model.size, [...model.keys()]]);
        for (const [index, item] of model) expect(window.get(index)).toBe(item);
      }),
    );
  });
});
