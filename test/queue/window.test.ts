import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Item } from "../../src/item.ts";
import { Window, WINDOW_LIMITS } from "../../src/queue/window.ts";

function anItem(index: number, body = "{}"): Item {
  return { index, customId: `row-${index}`, model: "m", body };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
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

  test("has room for an item when a sixteenth of it is free, not at the first gap", async () => {
    const window = new Window({ items: 32, bytes: 1_000 });
    for (let index = 0; index < 32; index += 1) window.put(anItem(index));
    let roomy = false;
    const room = window.room(anItem(32)).then(() => (roomy = true));
    window.release(0);
    await turn();
    expect([window.fits(anItem(32)), roomy]).toEqual([true, false]);
    window.release(1);
    await room;
    expect(window.size).toBe(30);
  });

  test("has room by bytes too, and for a large item only when that fits", async () => {
    const window = new Window({ items: 100, bytes: 160 });
    for (let index = 0; index < 16; index += 1) window.put(anItem(index, "0123456789"));
    let roomy = 0;
    void window.room(anItem(16, "x")).then(() => (roomy += 1));
    void window.room(anItem(17, "x".repeat(15))).then(() => (roomy += 1));
    window.release(0);
    await turn();
    expect(roomy).toBe(1);
    window.release(1);
    await turn();
    expect(roomy).toBe(2);
  });

  test("has room for anything when it is empty, and says when it is", async () => {
    const window = new Window({ items: 1, bytes: 3 });
    await window.empty();
    await window.room(anItem(0, "large"));
    window.put(anItem(0, "large"));
    const waiting = [window.empty(), window.room(anItem(1, "larger"))];
    window.release(0);
    await Promise.all(waiting);
    expect(window.size).toBe(0);
  });

  test("is not woken by an item that it does not hold", async () => {
    const window = new Window({ items: 1, bytes: 10 });
    window.put(anItem(0));
    let woken = false;
    void window.empty().then(() => (woken = true));
    window.release(1);
    await turn();
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
