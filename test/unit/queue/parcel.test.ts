import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Item } from "../../../src/item.ts";
import {
  alone,
  itemsUnder,
  mostTogether,
  pack,
  together,
  unpack,
} from "../../../src/queue/parcel.ts";
import { anItem } from "../../fakes/outcomes.ts";

function items(count: number): Item[] {
  return Array.from({ length: count }, (_, index) => anItem(index));
}

describe("parcels", () => {
  test("hold up to so many items each, in their order", () => {
    const parcels = together(items(10), 4);
    expect(parcels.map(({ items: packed }) => packed.map(({ index }) => index))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
  });

  test("are named by their first item and how many they are: never all digits, no colon", () => {
    expect(together(items(6), 4).map(({ id }) => id)).toEqual(["i0x4", "i4x2"]);
    expect(together(items(5), 4).map(({ id }) => id)).toEqual(["i0x4", "i4"]);
    expect(alone(anItem(7)).id).toBe("i7");
    expect(["i0x4", "i7", "i123x16"].map(itemsUnder)).toEqual([4, 1, 16]);
  });

  test("are single items where one is the most", () => {
    expect(together(items(3), 1)).toEqual(items(3).map(alone));
  });

  test("hold no more than 64 KiB together; what is larger travels alone", () => {
    const large = (index: number, bytes: number): Item => ({
      ...anItem(index),
      body: "x".repeat(bytes),
    });
    const sizes = [40_000, 25_536, 1, 100_000, 10];
    const parcels = together(
      sizes.map((bytes, index) => large(index, bytes)),
      16,
    );
    expect(parcels.map(({ id }) => id)).toEqual(["i0x2", "i2", "i3", "i4"]);
  });

  test("are small where few items may be in hand, so that sixteen of them may", () => {
    expect([1, 4, 16, 31, 64, 256, 4_000].map(mostTogether)).toEqual([1, 1, 1, 1, 4, 16, 16]);
  });

  test("are unpacked as they were packed, through JSON", () => {
    const item = fc.record({
      index: fc.nat(),
      customId: fc.string({ unit: "binary" }),
      model: fc.string(),
      body: fc.string({ unit: "binary" }),
    });
    fc.assert(
      fc.property(
        fc.array(item, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 16 }),
        (all, most) => {
          const back = together(all, most).flatMap((parcel) =>
            unpack(JSON.parse(JSON.stringify(pack(parcel))) as ReturnType<typeof pack>),
          );
          expect(back).toEqual(all);
        },
      ),
    );
  });
});
