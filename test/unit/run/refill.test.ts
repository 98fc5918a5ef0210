import { pino } from "pino";
import { describe, expect, test } from "vitest";

import { jobId } from "../../../src/queue/keys.ts";
import { alone, itemsUnder, together } from "../../../src/queue/parcel.ts";
import type { RunQueue } from "../../../src/queue/run-queue.ts";
import { Window } from "../../../src/queue/window.ts";
import { Hold } from "../../../src/run/hold.ts";
import { Refill } from "../../../src/run/refill.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";
import { anItem } from "../../fakes/outcomes.ts";

interface SceneOptions {
  /** Items that are in the window. */
  readonly items: readonly number[];
  /** Those of them that Redis still knows. */
  readonly known?: readonly number[];
  /** Ids of parcels that Redis still knows. */
  readonly waiting?: readonly string[];
  readonly inHand?: readonly number[];
  /** Parcels in which more than one of the items travelled. */
  readonly parcels?: readonly (readonly number[])[];
  /** What workers say they have in hand; null where there can be none. */
  readonly claimed?: readonly number[] | null;
  /** Whether workers are there. */
  readonly hasWorkers?: boolean;
  /** What workers have sent and nobody has recorded. */
  readonly sent?: readonly number[];
  /** At what look a worker sends its answer to item 0, which it has in hand, and lets go. */
  readonly sendsAt?: Look;
}

const LOOKS = ["missing", "claimed", "caught up"] as const;
type Look = (typeof LOOKS)[number];

function aScene({
  items,
  known = [],
  parcels = [],
  waiting = [],
  inHand = [],
  claimed = null,
  hasWorkers = false,
  sent = [],
  sendsAt,
}: SceneOptions) {
  const clock = new FakeClock();
  const window = new Window();
  for (const index of items) window.put(anItem(index));
  for (const index of items) window.send(alone(anItem(index)));
  const inRedis = new Set([...known.map(jobId), ...waiting]);
  for (const indexes of parcels) {
    for (const parcel of together(indexes.map(anItem), 16)) window.send(parcel);
  }
  const hands = new Set(claimed);
  const stream = new Set(sent);
  /** What becomes known at a look is as it was when that was asked for. */
  const look = <T>(at: Look, answer: T): T => {
    if (at === sendsAt) {
      stream.add(0);
      hands.delete(0);
      inRedis.delete(jobId(0));
    }
    return answer;
  };
  const hold = new Hold(new AbortController().signal);
  const added: number[] = [];
  let refuses = false;
  let looks = 0;
  const nothing = (): Promise<void> => Promise.resolve();
  const queue: RunQueue = {
    add: async (batch) => {
      if (refuses) throw new Error("out of memory");
      for (const { id, items: packed } of batch) {
        added.push(...packed.map(({ index }) => index));
        inRedis.add(id);
      }
    },
    missing: async (ids) => {
      looks += 1;
      return look("missing", new Set(ids.filter((id) => !inRedis.has(id))));
    },
    disband: async () => {
      for (const id of inRedis) if (itemsUnder(id) > 1) inRedis.delete(id);
    },
    tidy: () => Promise.resolve([]),
    pause: nothing,
    resume: nothing,
    clear: nothing,
    close: nothing,
  };
  const refill = new Refill({
    queue,
    window,
    isInHand: (index) => inHand.includes(index),
    elsewhere:
      claimed === null
        ? null
        : {
            hasWorkers: () => hasWorkers,
            claimed: async () => look("claimed", new Set(hands)),
            caughtUp: async () => {
              for (const index of stream) window.release(index);
              look("caught up", undefined);
            },
          },
    hold,
    clock,
    log: pino({ level: "silent" }),
  });
  return {
    clock,
    refill,
    window,
    hold,
    hands,
    added,
    looks: () => looks,
    refuse: (does: boolean) => (refuses = does),
  };
}

describe("putting back what Redis has lost", () => {
  test("puts back what it does not know, and nothing that is in hand here", async () => {
    const { clock, refill, added } = aScene({ items: [0, 1, 2, 3], known: [1], inHand: [2] });
    refill.soon();
    await clock.advance(0);
    expect(added).toEqual([0, 3]);
    await refill.close();
  });

  for (const [what, known] of [
    ["after Redis was emptied", []],
    ["while Redis knows it", [0]],
  ] as const) {
    test.each(LOOKS)(
      `takes an item for lost at no moment: sent ${what}, at the look for %s`,
      async (sendsAt) => {
        const { clock, refill, added } = aScene({ items: [0], known, claimed: [0], sendsAt });
        refill.soon();
        await clock.advance(60_000);
        expect(added).toEqual([]);
        await refill.close();
      },
    );
  }

  test("puts back one by one what is left of a parcel that is gone", async () => {
    const { clock, refill, window, added } = aScene({
      items: [0, 1, 2, 3],
      parcels: [[0, 1, 2]],
      known: [3],
      inHand: [1],
    });
    refill.soon();
    await clock.advance(0);
    expect(added).toEqual([0, 2]);
    expect([0, 1, 2].map((index) => window.parcelOf(index))).toEqual(["i0", "i0x3", "i2"]);
    await refill.close();
  });

  for (const hasWorkers of [true, false]) {
    test(`${hasWorkers ? "takes parcels of several apart" : "leaves parcels of several as they are"} where ${hasWorkers ? "a worker" : "nobody else"} is there`, async () => {
      const { clock, refill, added } = aScene({
        items: [0, 1, 2, 3],
        parcels: [[0, 1, 2]],
        waiting: ["i0x3", "i3"],
        claimed: [],
        hasWorkers,
      });
      refill.soon();
      await clock.advance(0);
      expect(added).toEqual(hasWorkers ? [0, 1, 2] : []);
      await refill.close();
    });
  }

  test("leaves alone what has not been sent on its way yet", async () => {
    const { clock, refill, window, added } = aScene({ items: [0] });
    window.put(anItem(1));
    refill.soon();
    await clock.advance(0);
    expect(added).toEqual([0]);
    await refill.close();
  });

  test("leaves alone what a worker has in hand, and looks again until it has let go", async () => {
    const { clock, refill, hands, added } = aScene({ items: [0, 1], claimed: [1] });
    refill.soon();
    await clock.advance(7_000);
    expect(added).toEqual([0]);
    hands.clear();
    await clock.advance(6_000);
    expect(added).toEqual([0, 1]);
    await refill.close();
    expect(clock.pending).toBe(0);
  });

  test("does not ask again what workers have answered meanwhile", async () => {
    const { clock, refill, added } = aScene({ items: [0, 1], claimed: [], sent: [0] });
    refill.soon();
    await clock.advance(0);
    expect(added).toEqual([1]);
  });

  test("looks every minute for what was lost unnoticed", async () => {
    const { clock, refill, added, looks } = aScene({ items: [0] });
    await clock.advance(59_999);
    expect(added).toEqual([]);
    await clock.advance(1);
    expect(added).toEqual([0]);
    await clock.advance(120_000);
    expect(looks()).toBe(3);
    await refill.close();
  });

  test("puts nothing into the queue of a run that is held", async () => {
    const { clock, refill, hold, added } = aScene({ items: [0] });
    hold.on();
    refill.soon();
    await clock.advance(0);
    expect(added).toEqual([]);
    hold.off();
    refill.soon();
    await clock.advance(0);
    expect(added).toEqual([0]);
  });

  test("tries again when it is told to, after a Redis that refused", async () => {
    const { clock, refill, added, refuse } = aScene({ items: [0] });
    refuse(true);
    refill.soon();
    await clock.advance(0);
    refuse(false);
    refill.soon();
    await clock.advance(0);
    expect(added).toEqual([0]);
    await refill.close();
  });

  test("tries again by itself soon after a Redis that refused", async () => {
    const { clock, refill, added, refuse } = aScene({ items: [0] });
    refuse(true);
    refill.soon();
    await clock.advance(0);
    refuse(false);
    await clock.advance(6_000);
    expect(added).toEqual([0]);
    await refill.close();
  });

  test("looks once more, and only once, for all that it is told while it looks", async () => {
    const { clock, refill, looks } = aScene({ items: [0], known: [0] });
    for (let times = 0; times < 5; times += 1) refill.soon();
    await clock.advance(0);
    expect(looks()).toBe(2);
  });

  test("does nothing more when it is closed", async () => {
    const { clock, refill, added } = aScene({ items: [0], claimed: [] });
    await refill.close();
    refill.soon();
    await clock.advance(60_000);
    expect([added, clock.pending]).toEqual([[], 0]);
  });
});
