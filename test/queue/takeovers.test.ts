import { describe, expect, test } from "vitest";

import { consumeRunQueue, type Handed, type Handled } from "../../src/queue/consumer.ts";
import type { RunPlace } from "../../src/queue/keys.ts";
import { openRunQueue } from "../../src/queue/run-queue.ts";
import { Takeovers } from "../../src/queue/takeovers.ts";
import { anItem } from "../fakes/outcomes.ts";
import { addAlone } from "./alone.ts";
import { openServer, SERVER_KINDS, until } from "./servers.ts";

const ITEM = "nightshift:{run-1}:i7";

/** A run with item 7 in its queue. */
async function aRun(kind: (typeof SERVER_KINDS)[number]) {
  const { connection, admin, close } = await openServer(kind);
  const place: RunPlace = { connection, prefix: "nightshift", runId: "run-1" };
  const queue = openRunQueue(place, () => {});
  await addAlone(queue, [anItem(7)]);
  return {
    place,
    queue,
    admin,
    [Symbol.asyncDispose]: async () => {
      await queue.close();
      await close();
    },
  };
}

for (const kind of SERVER_KINDS) {
  describe.skipIf(kind.isMissing)(`holds that ran out on ${kind.name}`, () => {
    test("are deaths, unless their holder says that it lives", async () => {
      await using run = await aRun(kind);
      const holds = new Takeovers(run.place);
      expect([await holds.deaths("i7", 0), await holds.deaths("i7", 2)]).toEqual([0, 2]);
      await holds.holding("i7", async () => {
        await holds.lost(["i7"]);
        // The same hold, found gone once more.
        await holds.lost(["i7"]);
      });
      expect(await holds.deaths("i7", 2)).toBe(1);
      await holds.holding("i7", () => holds.lost(["i7"]));
      expect([await holds.deaths("i7", 2), await holds.deaths("i7", 1)]).toEqual([0, 0]);
    });

    test("say nothing of an item that was handed on, and leave nothing of one that is over", async () => {
      await using run = await aRun(kind);
      const holds = new Takeovers(run.place);
      await holds.lost(["i7"]);
      expect(await holds.deaths("i7", 1)).toBe(1);
      await run.queue.clear();
      await holds.holding("i7", () => holds.lost(["i7"]));
      expect(await run.admin.exists(ITEM)).toBe(0);
    });
  });
}

// It takes the time of a renewal, which is BullMQ's own.
test.concurrent.for(SERVER_KINDS.filter(({ isMissing }) => !isMissing))(
  "an item that is taken over from a living worker has not killed it, on $name",
  async (kind, { expect }) => {
    await using run = await aRun(kind);
    const handed: Handed[] = [];
    const ended = Promise.withResolvers<Handled>();
    const take = (name: string) => {
      const consumer = consumeRunQueue({
        ...run.place,
        name,
        capacity: 1,
        handle: (each) => {
          handed.push(each);
          return ended.promise;
        },
        // BullMQ tells of the lost hold.
        onError: () => {},
      });
      consumer.start();
      return consumer;
    };
    const first = take("w1");
    await until(() => handed.length === 1);
    await run.admin.del(`${ITEM}:lock`);
    await until(async () => (await run.admin.hget(ITEM, "outlived")) !== null);
    // What 20 s of silence and the first of two looks at all items in hand lead to.
    await run.admin.del("nightshift:{run-1}:stalled-check");
    await run.admin.sadd("nightshift:{run-1}:stalled", "i7");
    const second = take("w2");
    await until(() => handed.length === 2);
    expect(await run.admin.hget(ITEM, "stc")).toBe("1");
    expect(handed[1]?.takeovers).toBe(0);
    ended.resolve("done");
    await Promise.all([first.close(), second.close()]);
  },
);
