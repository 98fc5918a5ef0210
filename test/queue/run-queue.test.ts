import { Worker } from "bullmq";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";

import type { Item } from "../../src/item.ts";
import type { Connection } from "../../src/queue/connection.ts";
import { type Consumer, type ConsumerOptions, consumeRunQueue } from "../../src/queue/consumer.ts";
import { together } from "../../src/queue/parcel.ts";
import { openRunQueue, queueDepth, type RunQueue } from "../../src/queue/run-queue.ts";
import { addAlone, missingAlone } from "./alone.ts";
import { openServer, SERVER_KINDS, until } from "./servers.ts";

const PREFIX = "nightshift";

function anItem(index: number): Item {
  return {
    index,
    customId: `row-${index}`,
    model: "gpt-4o-mini",
    body: `{"messages":[{"role":"user","content":"汉\u2028${index}"}]}`,
  };
}

function items(count: number): Item[] {
  return Array.from({ length: count }, (_, index) => anItem(index));
}

for (const kind of SERVER_KINDS) {
  describe.skipIf(kind.isMissing)(`a run's queue on ${kind.name}`, () => {
    let connection: Connection;
    let admin: Connection;
    let close: () => Promise<void>;
    let runId: string;
    let queue: RunQueue;
    let runs = 0;
    const consumers: Consumer[] = [];
    const errors: Error[] = [];
    const onError = (error: Error): void => void errors.push(error);

    beforeAll(async () => {
      ({ connection, admin, close } = await openServer(kind));
    });
    afterAll(() => close());
    beforeEach(() => {
      runId = `run-${(runs += 1)}`;
      queue = openRunQueue({ connection, prefix: PREFIX, runId }, onError);
      errors.length = 0;
    });
    afterEach(async () => {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.close()));
      await queue.clear();
      await queue.close();
      expect(errors).toEqual([]);
    });

    /** Starts a consumer that is closed after the test. */
    function start(options: Pick<ConsumerOptions, "handle"> & Partial<ConsumerOptions>): Consumer {
      const place = { connection, prefix: PREFIX, runId };
      const consumer = consumeRunQueue({
        ...place,
        name: "owner",
        capacity: 4,
        onError,
        ...options,
      });
      consumers.push(consumer);
      consumer.start();
      return consumer;
    }

    /** Starts one that takes items one by one and brings each to its end. */
    function consuming(
      handle: (item: Item, takeovers: number) => Promise<void>,
      capacity = 4,
    ): Consumer {
      return start({
        capacity,
        handle: async ({ item, takeovers }) => {
          await handle(item, takeovers);
          return "done";
        },
      });
    }

    /** The keys of this run. */
    function keys(): Promise<string[]> {
      return admin.keys(`${PREFIX}:{${runId}}:*`);
    }

    test("hands out every item once, as it was put in", async () => {
      const handed: Item[] = [];
      consuming((item) => Promise.resolve(void handed.push(item)));
      await addAlone(queue, items(300));
      await until(() => handed.length >= 300);
      expect(handed.toSorted((a, b) => a.index - b.index)).toEqual(items(300));
    });

    test("leaves an item that is there already as it is", async () => {
      await addAlone(queue, [anItem(0), { ...anItem(1), body: "first" }]);
      await addAlone(queue, [{ ...anItem(1), body: "second" }, anItem(2)]);
      const bodies = new Map<number, string>();
      let handed = 0;
      consuming(({ index, body }) => {
        handed += 1;
        bodies.set(index, body);
        return Promise.resolve();
      });
      await until(() => bodies.size === 3);
      expect(await missingAlone(queue, [0, 1, 2])).toEqual([0, 1, 2]);
      expect([handed, bodies.get(1)]).toEqual([3, "first"]);
    });

    test("leaves an item in hand as it is", async () => {
      const answer = Promise.withResolvers<undefined>();
      let handed = 0;
      consuming(() => {
        handed += 1;
        return answer.promise;
      });
      await addAlone(queue, [anItem(0)]);
      await until(() => handed === 1);
      await addAlone(queue, [anItem(0)]);
      expect(await missingAlone(queue, [0])).toEqual([]);
      answer.resolve(undefined);
      await until(async () => (await missingAlone(queue, [0])).length === 1);
      expect(handed).toBe(1);
    });

    test("takes an item again that it has handed out before", async () => {
      let handed = 0;
      consuming(() => Promise.resolve(void (handed += 1)));
      await addAlone(queue, [anItem(0)]);
      await until(async () => (await missingAlone(queue, [0])).length === 1);
      await addAlone(queue, [anItem(0)]);
      await until(() => handed === 2);
    });

    test("forgets an item whose handling failed, so that it can come again", async () => {
      let handed = 0;
      consuming(() => {
        handed += 1;
        return Promise.reject(new Error("a bug"));
      });
      await addAlone(queue, [anItem(0)]);
      await until(async () => handed === 1 && (await missingAlone(queue, [0])).length === 1);
      await addAlone(queue, [anItem(0)]);
      await until(() => handed === 2);
    });

    test("knows what it lost when the server was emptied, and goes on with what is put back", async () => {
      await addAlone(queue, items(5));
      expect(await missingAlone(queue, [0, 4, 5])).toEqual([5]);
      await admin.flushall();
      expect(await missingAlone(queue, [0, 4, 5])).toEqual([0, 4, 5]);

      const handed = new Set<number>();
      consuming(({ index }) => Promise.resolve(void handed.add(index)));
      await addAlone(queue, [anItem(4)]);
      await until(() => handed.has(4));
      expect(handed).toEqual(new Set([4]));
    });

    test("a consumer survives the server being emptied", async () => {
      const handed = new Set<number>();
      consuming(({ index }) => Promise.resolve(void handed.add(index)));
      await addAlone(queue, [anItem(0)]);
      await until(() => handed.has(0));
      await admin.flushall();
      await addAlone(queue, [anItem(1)]);
      await until(() => handed.has(1));
    });

    test("leaves no key when it is cleared, and touches no other run's", async () => {
      const other = openRunQueue({ connection, prefix: PREFIX, runId: "other-run" }, onError);
      await addAlone(other, [anItem(0)]);
      await addAlone(queue, items(50));
      await queue.clear();
      expect(await keys()).toEqual([]);
      expect(await missingAlone(other, [0])).toEqual([]);
      await other.clear();
      await other.close();
    });

    test("may be cleared when there is nothing in it, and used afterwards", async () => {
      await queue.clear();
      await queue.clear();
      const handed: number[] = [];
      await addAlone(queue, [anItem(3)]);
      consuming(({ index }) => Promise.resolve(void handed.push(index)));
      await until(() => handed.length === 1);
    });

    test("keeps next to no events, also after it was cleared", async () => {
      await queue.clear();
      for (let round = 0; round < 4; round += 1) {
        await addAlone(
          queue,
          Array.from({ length: 250 }, (_, at) => anItem(round * 250 + at)),
        );
      }
      expect(await admin.xlen(`${PREFIX}:{${runId}}:events`)).toBeLessThan(250);
    });

    test("hands out no more at once than the consumer has room for", async () => {
      let inHand = 0;
      let most = 0;
      let done = 0;
      consuming(async () => {
        inHand += 1;
        most = Math.max(most, inHand);
        await new Promise((resolve) => setImmediate(resolve));
        inHand -= 1;
        done += 1;
      }, 3);
      await addAlone(queue, items(60));
      await until(() => done === 60);
      expect(most).toBe(3);
    });

    test("a consumer that closes finishes what it has in hand, and takes no more", async () => {
      const answers: (() => void)[] = [];
      const consumer = consuming(
        () => new Promise<void>((resolve) => void answers.push(resolve)),
        2,
      );
      await addAlone(queue, items(5));
      await until(() => answers.length === 2);
      let closed = false;
      const closing = Promise.all([consumer.close(), consumer.close()]).then(() => (closed = true));
      await missingAlone(queue, [0]);
      expect(closed).toBe(false);
      for (const answer of answers) answer();
      await closing;
      expect(answers).toHaveLength(2);
      expect(await missingAlone(queue, [0, 1, 2, 3, 4])).toHaveLength(2);
    });

    test("an idle consumer closes without waiting", async () => {
      const consumer = consuming(() => Promise.resolve());
      await missingAlone(queue, [0]);
      const start = performance.now();
      await consumer.close();
      expect(performance.now() - start).toBeLessThan(2_000);
    });

    test("hands out the items of a parcel each by itself, and forgets it when all are done", async () => {
      const answers = new Map<number, () => void>();
      start({
        capacity: 8,
        together: 4,
        handle: ({ item }) =>
          new Promise((resolve) => answers.set(item.index, () => resolve("done"))),
        onBack: () => onError(new Error("nothing is back")),
      });
      await queue.add(together(items(4), 4));
      await until(() => answers.size === 4);
      for (const index of [0, 1, 2]) answers.get(index)?.();
      expect(await queue.missing(["i0x4"])).toEqual(new Set());
      answers.get(3)?.();
      await until(async () => (await queue.missing(["i0x4"])).has("i0x4"));
    });

    test("a parcel with an item that lasts holds up no others", async () => {
      const last = Promise.withResolvers<"done">();
      const handed: number[] = [];
      start({
        capacity: 8,
        together: 4,
        handle: ({ item }) => {
          handed.push(item.index);
          return item.index % 4 === 0 && item.index < 8 ? last.promise : Promise.resolve("done");
        },
      });
      await queue.add(together(items(40), 4));
      await until(() => handed.length === 40);
      last.resolve("done");
    });

    test("says at once which items of a parcel are back, whatever becomes of the others", async () => {
      const last = Promise.withResolvers<"back">();
      const back: number[] = [];
      start({
        together: 4,
        handle: ({ item }) => {
          if (item.index === 0) return last.promise;
          return Promise.resolve(item.index === 2 ? "back" : "done");
        },
        onBack: ({ index }) => void back.push(index),
      });
      await queue.add(together(items(4), 4));
      await until(() => back.length === 1);
      expect(await queue.missing(["i0x4"])).toEqual(new Set());
      last.resolve("back");
      await until(() => back.length === 2);
      expect(back).toEqual([2, 0]);
    });

    test("says which items of a parcel are back that the queue knows no longer", async () => {
      const last = Promise.withResolvers<"back">();
      let inHand = 0;
      let back = 0;
      start({
        capacity: 8,
        together: 4,
        handle: () => {
          inHand += 1;
          return last.promise;
        },
        onBack: () => (back += 1),
        // It cannot be ended.
        onError: () => {},
      });
      await queue.add(together(items(4), 4));
      await until(() => inHand === 4);
      await admin.flushall();
      last.resolve("back");
      await until(() => back === 4);
    });

    test("who takes items one by one drops a parcel of several and goes on", async () => {
      const handed: number[] = [];
      consuming(({ index }) => Promise.resolve(void handed.push(index)));
      await queue.add([...together(items(4), 4), ...together([anItem(9)], 4)]);
      await until(() => handed.length > 0);
      expect(handed).toEqual([9]);
      await until(async () => (await queue.missing(["i0x4", "i9"])).size === 2);
    });

    test("disbands the parcels of several that wait, those too that are on their way", async () => {
      await queue.add([...together(items(8), 4), ...together([anItem(9)], 4)]);
      const added = queue.add(together([anItem(10), anItem(11)], 2));
      await queue.disband();
      await added;
      expect(await queue.missing(["i0x4", "i4x4", "i9", "i10x2"])).toEqual(
        new Set(["i0x4", "i4x4", "i10x2"]),
      );
      expect(await queueDepth({ connection, prefix: PREFIX, runId })).toEqual({
        waiting: 1,
        inHand: 0,
      });
    });

    test("disbands what somebody else has got, and leaves the owner what he has in hand", async () => {
      const last = Promise.withResolvers<"done">();
      let inHand = 0;
      start({
        together: 4,
        handle: () => {
          inHand += 1;
          return last.promise;
        },
      });
      await queue.add(together(items(4), 4));
      await until(() => inHand === 4);
      await queue.add(together([anItem(8), anItem(9)], 4));
      const other = new Worker(`{${runId}}`, null, { connection, prefix: PREFIX, name: "other" });
      await other.waitUntilReady();
      expect((await other.getNextJob("a token"))?.id).toBe("i8x2");
      await other.close(true);
      await queue.disband();
      expect(await queue.missing(["i0x4", "i8x2"])).toEqual(new Set(["i8x2"]));
      expect(await keys()).not.toContainEqual(expect.stringMatching(/i8x2/));
      last.resolve("done");
    });

    test("is tidied of a parcel of several that somebody else has got", async () => {
      // The first's id looks like a number in hexadecimal.
      await queue.add(together(items(32), 16));
      const other = new Worker(`{${runId}}`, null, { connection, prefix: PREFIX, name: "other" });
      await other.waitUntilReady();
      expect((await other.getNextJob("a token"))?.id).toBe("i0x16");
      expect((await other.getNextJob("a token"))?.id).toBe("i16x16");
      await other.close(true);
      expect(await queue.tidy()).toEqual([]);
      expect(await queue.missing(["i0x16", "i16x16"])).toEqual(new Set(["i0x16", "i16x16"]));
    });

    test("counts items, not parcels", async () => {
      await queue.add([...together(items(7), 4), ...together([anItem(9)], 4)]);
      expect(await queueDepth({ connection, prefix: PREFIX, runId })).toEqual({
        waiting: 8,
        inHand: 0,
      });
    });

    test("what is on its way is not missing", async () => {
      const added = queue.add(together(items(250), 16));
      expect(await queue.missing(["i0x16", "i240x10"])).toEqual(new Set());
      await added;
    });

    test("an item that could not be handed out takes no room", async () => {
      const last = Promise.withResolvers<undefined>();
      let inHand = 0;
      await addAlone(queue, [anItem(0)]);
      // A hold that ran out is asked about.
      await admin.hset(`${PREFIX}:{${runId}}:i0`, "stc", 1);
      const asked = vi.spyOn(connection, "hget").mockRejectedValueOnce(new Error("not now"));
      consuming(() => {
        inHand += 1;
        return last.promise;
      }, 2);
      await until(async () => (await missingAlone(queue, [0])).length === 1);
      expect(asked).toHaveBeenCalledOnce();
      await addAlone(queue, [anItem(1), anItem(2)]);
      await until(() => inHand === 2);
      last.resolve(undefined);
    });

    test("counts the workers that died with an item", async () => {
      await addAlone(queue, [anItem(7)]);
      const dead = new Worker(`{${runId}}`, null, {
        connection,
        prefix: PREFIX,
        maxStalledCount: Number.MAX_SAFE_INTEGER,
        // Its first look notes who is in hand without a lock.
        stalledInterval: 1,
      });
      await dead.waitUntilReady();
      const job = await dead.getNextJob("a token");
      expect(job?.id).toBe("i7");
      await dead.close(true);
      const takeovers = Promise.withResolvers<number>();
      // What 30 s of silence and the first of two looks at all items in hand lead to.
      await admin.del(`${PREFIX}:{${runId}}:i7:lock`, `${PREFIX}:{${runId}}:stalled-check`);
      await admin.sadd(`${PREFIX}:{${runId}}:stalled`, "i7");
      consuming((_item, count) => Promise.resolve(takeovers.resolve(count)));
      expect(await takeovers.promise).toBe(1);
    });
  });
}
