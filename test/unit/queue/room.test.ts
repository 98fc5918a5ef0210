import { describe, expect, test } from "vitest";

import { type Held, Room } from "../../../src/queue/room.ts";

/** As many parcels as fit, as whoever fetches them takes them. */
function filled(room: Room, items: number): Held[] {
  const held: Held[] = [];
  while (held.length < room.fit()) held.push(room.take(items));
  room.fit();
  return held;
}

function end(room: Room, held: Held, items: number): void {
  for (let over = 0; over < items; over += 1) room.itemOver(held);
}

async function areLetGo(parcels: readonly Held[]): Promise<boolean[]> {
  const are = parcels.map(() => false);
  for (const [at, { letGo }] of parcels.entries()) void letGo.then(() => (are[at] = true));
  await new Promise((resolve) => setImmediate(resolve));
  return are;
}

describe("the room for parcels", () => {
  test("is as many as the items that may be in hand fill", () => {
    expect(new Room(256, 16).fit()).toBe(16);
    expect(new Room(100, 1).fit()).toBe(100);
  });

  test("stays the same while whole parcels come and go", async () => {
    const room = new Room(64, 16);
    const parcels = filled(room, 16);
    expect(parcels).toHaveLength(4);
    for (const held of parcels) {
      end(room, held, 16);
      room.gone(held);
      expect(room.fit()).toBe(4);
      room.take(16);
      expect(room.fit()).toBe(4);
    }
  });

  test("counts items, so that what is left of parcels leaves room for others", () => {
    const room = new Room(64, 16);
    const [first, ...others] = filled(room, 16);
    for (const held of others) end(room, held, 15);
    if (first !== undefined) {
      end(room, first, 16);
      room.gone(first);
    }
    // Three with an item each leave room for 61 items.
    expect(room.fit()).toBe(3 + 3);
  });

  test("fits single items as it fits parcels", () => {
    const room = new Room(32, 16);
    expect(filled(room, 1)).toHaveLength(17);
    expect(filled(new Room(32, 1), 1)).toHaveLength(32);
  });

  test("is one at least, even where the room was made smaller", () => {
    const room = new Room(64, 16);
    room.capacity = 4;
    expect(room.fit()).toBe(1);
    room.take(16);
    expect(room.fit()).toBe(1);
  });

  test("lets go of the parcel with the least left when another would fit and nobody looks", async () => {
    const room = new Room(64, 16);
    const parcels = filled(room, 16);
    const [first, second, third, fourth] = parcels;
    if (!first || !second || !third || !fourth) throw new Error("four fit");
    end(room, first, 4);
    end(room, second, 5);
    end(room, third, 6);
    expect(await areLetGo(parcels)).toEqual([false, false, false, false]);
    room.itemOver(first);
    expect(await areLetGo(parcels)).toEqual([false, false, true, false]);
    room.gone(third);
    expect(room.fit()).toBe(3 + 1);
  });

  test("lets go of nothing where more are looked for anyway", async () => {
    const room = new Room(64, 16);
    room.fit();
    const held = room.take(16);
    end(room, held, 15);
    expect(await areLetGo([held])).toEqual([false]);
  });
});
