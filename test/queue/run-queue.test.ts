import { Worker } from "bullmq";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { Item } from "../../src/item.ts";
import { type Connection, connect } from "../../src/queue/connection.ts";
import { type Consumer, consumeRunQueue } from "../../src/queue/consumer.ts";
import { openRunQueue, type RunQueue } from "../../src/queue/run-queue.ts";
import { SERVER_KINDS, type TestServer, until } from "./servers.ts";

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
    let server: TestServer;
    let connection: Connection;
    /** The tests' own, which may look at and break everything. */
    let admin: Connection;
    let runId: string;
    let queue: RunQueue;
    let runs = 0;
    const consumers: Consumer[] = [];
    const errors: Error[] = [];
    const onError = (error: Error): void => void errors.push(error);

    beforeAll(async () => {
      server = await kind.start();
      connection = await connect(server.address);
      admin = await connect(server.admin);
    });
    afterAll(async () => {
      connection.disconnect();
      admin.disconnect();
      await server.close();
    });
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
    function consuming(
      handle: (item: Item, takeovers: number) => Promise<void>,
      capacity = 4,
    ): Consumer {
      const consumer = consumeRunQueue({
        connection,
        prefix: PREFIX,
        runId,
        name: "owner",
        capacity,
        handle: async ({ item, takeovers }) => {
          await handle(item, takeovers);
          return "done";
        },
        onError,
      });
      consumers.push(consumer);
      consumer.start();
      return consumer;
    }

    /** The keys of this run. */
    function keys(): Promise<string[]> {
      return admin.keys(`${PREFIX}:{${runId}}:*`);
    }

    test("hands out every item once, as it was put in", async () => {
      const handed: Item[] = [];
      consuming((item) => Promise.resolve(void handed.push(item)));
      await queue.add(items(300));
      await until(() => handed.length >= 300);
      expect(handed.toSorted((a, b) => a.index - b.index)).toEqual(items(300));
    });

    test("leaves an item that is there already as it is", async () => {
      await queue.add([anItem(0), { ...anItem(1), body: "first" }]);
      await queue.add([{ ...anItem(1), body: "second" }, anItem(2)]);
      const bodies = new Map<number, string>();
      let handed = 0;
      consuming(({ index, body }) => {
        handed += 1;
        bodies.set(index, body);
        return Promise.resolve();
      });
      await until(() => bodies.size === 3);
      expect(await queue.missing([0, 1, 2])).toEqual([0, 1, 2]);
      expect([handed, bodies.get(1)]).toEqual([3, "first"]);
    });

    test("leaves an item in hand as it is", async () => {
      const answer = Promise.withResolvers<undefined>();
      let handed = 0;
      consuming(() => {
        handed += 1;
        return answer.promise;
      });
      await queue.add([anItem(0)]);
      await until(() => handed === 1);
      await queue.add([anItem(0)]);
      expect(await queue.missing([0])).toEqual([]);
      answer.resolve(undefined);
      await until(async () => (await queue.missing([0])).length === 1);
      expect(handed).toBe(1);
    });

    test("takes an item again that it has handed out before", async () => {
      let handed = 0;
      consuming(() => Promise.resolve(void (handed += 1)));
      await queue.add([anItem(0)]);
      await until(async () => (await queue.missing([0])).length === 1);
      await queue.add([anItem(0)]);
      await until(() => handed === 2);
    });

    test("forgets an item whose handling failed, so that it can come again", async () => {
      let handed = 0;
      consuming(() => {
        handed += 1;
        return Promise.reject(new Error("a bug"));
      });
      await queue.add([anItem(0)]);
      await until(async () => handed === 1 && (await queue.missing([0])).length === 1);
      await queue.add([anItem(0)]);
      await until(() => handed === 2);
    });

    test("knows what it lost when the server was emptied, and goes on with what is put back", async () => {
      await queue.add(items(5));
      expect(await queue.missing([0, 4, 5])).toEqual([5]);
      await admin.flushall();
      expect(await queue.missing([0, 4, 5])).toEqual([0, 4, 5]);

      const handed = new Set<number>();
      consuming(({ index }) => Promise.resolve(void handed.add(index)));
      await queue.add([anItem(4)]);
      await until(() => handed.has(4));
      expect(handed).toEqual(new Set([4]));
    });

    test("a consumer survives the server being emptied", async () => {
      const handed = new Set<number>();
      consuming(({ index }) => Promise.resolve(void handed.add(index)));
      await queue.add([anItem(0)]);
      await until(() => handed.has(0));
      await admin.flushall();
      await queue.add([anItem(1)]);
      await until(() => handed.has(1));
    });

    test("leaves no key when it is cleared, and touches no other run's", async () => {
      const other = openRunQueue({ connection, prefix: PREFIX, runId: "other-run" }, onError);
      await other.add([anItem(0)]);
      await queue.add(items(50));
      await queue.clear();
      expect(await keys()).toEqual([]);
      expect(await other.missing([0])).toEqual([]);
      await other.clear();
      await other.close();
    });

    test("may be cleared when there is nothing in it, and used afterwards", async () => {
      await queue.clear();
      await queue.clear();
      const handed: number[] = [];
      await queue.add([anItem(3)]);
      consuming(({ index }) => Promise.resolve(void handed.push(index)));
      await until(() => handed.length === 1);
    });

    test("keeps next to no events, also after it was cleared", async () => {
      await queue.clear();
      for (let round = 0; round < 4; round += 1) {
        await queue.add(Array.from({ length: 250 }, (_, at) => anItem(round * 250 + at)));
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
      await queue.add(items(60));
      await until(() => done === 60);
      expect(most).toBe(3);
    });

    test("a consumer that closes finishes what it has in hand, and takes no more", async () => {
      const answers: (() => void)[] = [];
      const consumer = consuming(
        () => new Promise<void>((resolve) => void answers.push(resolve)),
        2,
      );
      await queue.add(items(5));
      await until(() => answers.length === 2);
      let closed = false;
      const closing = Promise.all([consumer.close(), consumer.close()]).then(() => (closed = true));
      await queue.missing([0]);
      expect(closed).toBe(false);
      for (const answer of answers) answer();
      await closing;
      expect(answers).toHaveLength(2);
      expect(await queue.missing([0, 1, 2, 3, 4])).toHaveLength(2);
    });

    test("an idle consumer closes without waiting", async () => {
      const consumer = consuming(() => Promise.resolve());
      await queue.missing([0]);
      const start = performance.now();
      await consumer.close();
      expect(performance.now() - start).toBeLessThan(2_000);
    });

    test("counts the workers that died with an item", async () => {
      await queue.add([anItem(7)]);
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
