import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { Connection } from "../../src/queue/connection.ts";
import { type Consumer, consumeRunQueue, type Handled } from "../../src/queue/consumer.ts";
import { seeHands, showHands } from "../../src/queue/hands.ts";
import { consumeHolding, type HandedHeld } from "../../src/queue/holding-consumer.ts";
import type { RunPlace } from "../../src/queue/keys.ts";
import { deliver, openOutcomeStream } from "../../src/queue/outcome-stream.ts";
import { alone } from "../../src/queue/parcel.ts";
import { openRunQueue, type RunQueue } from "../../src/queue/run-queue.ts";
import { Window } from "../../src/queue/window.ts";
import { takeUp } from "../../src/run/elsewhere.ts";
import { Hold } from "../../src/run/hold.ts";
import { Inbox } from "../../src/run/inbox.ts";
import { Refill } from "../../src/run/refill.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import { anItem, anOutcome } from "../fakes/outcomes.ts";
import { addAlone, missingAlone } from "./alone.ts";
import { openServer, SERVER_KINDS, until } from "./servers.ts";

for (const kind of SERVER_KINDS) {
  describe.skipIf(kind.isMissing)(`a queue that several take from on ${kind.name}`, () => {
    let connection: Connection;
    let admin: Connection;
    let close: () => Promise<void>;
    let place: RunPlace;
    let queue: RunQueue;
    let clock: FakeClock;
    let runs = 0;
    const consumers: Consumer[] = [];
    /** What consumers were told of holds that were gone: expected where a test takes them away. */
    const errors: Error[] = [];

    beforeAll(async () => {
      ({ connection, admin, close } = await openServer(kind));
    });
    afterAll(() => close());
    beforeEach(() => {
      place = { connection, prefix: "nightshift", runId: `run-${(runs += 1)}` };
      queue = openRunQueue(place, (error) => errors.push(error));
      clock = new FakeClock();
      errors.length = 0;
    });
    afterEach(async () => {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.close()));
      expect(clock.pending).toBe(0);
      await queue.clear();
      await queue.close();
    });

    /** Takes items by that name and keeps them in hand until the test says what came of each. */
    function taking(name: string, capacity: number): Map<number, (handled: Handled) => void> {
      const inHand = new Map<number, (handled: Handled) => void>();
      const consumer = consumeRunQueue({
        ...place,
        name,
        capacity,
        handle: ({ item }) =>
          new Promise<Handled>((resolve) => void inHand.set(item.index, resolve)),
        onError: (error) => errors.push(error),
      });
      consumers.push(consumer);
      consumer.start();
      return inHand;
    }

    /** The same, where each item is told when the hold on it is lost. */
    function holding(): { handed: HandedHeld[]; end: (handled: Handled) => void } {
      const handed: HandedHeld[] = [];
      const ended = Promise.withResolvers<Handled>();
      const consumer = consumeHolding({
        ...place,
        name: "w1",
        capacity: 2,
        handle: (each) => {
          handed.push(each);
          return ended.promise;
        },
        clock,
        onError: (error) => errors.push(error),
      });
      consumers.push(consumer);
      consumer.start();
      return { handed, end: ended.resolve };
    }

    test("is tidied up but for what living workers elsewhere have in hand", async () => {
      await addAlone(queue, [anItem(0), anItem(1), anItem(2), anItem(3)]);
      const worker = taking("w1", 2);
      await until(() => worker.size === 2);
      const owner = taking("owner", 1);
      await until(() => owner.size === 1);
      // The second worker's item, whose lock has run out: it is dead.
      const dead = [...worker.keys()][1] ?? -1;
      await admin.del(`nightshift:{${place.runId}}:i${dead}:lock`);

      const kept = await queue.tidy();
      const [alive = -1] = worker.keys();
      expect(kept).toEqual([alive]);
      expect(await missingAlone(queue, [0, 1, 2, 3])).toEqual(
        [0, 1, 2, 3].filter((index) => index !== alive),
      );
      for (const end of [...worker.values(), ...owner.values()]) end("done");
    });

    test("is tidied up when it is paused, too", async () => {
      await addAlone(queue, [anItem(0)]);
      await queue.pause();
      await addAlone(queue, [anItem(1)]);
      expect(await queue.tidy()).toEqual([]);
      expect(await missingAlone(queue, [0, 1])).toEqual([0, 1]);
    });

    test("hands an item to the next who asks when it is given back", async () => {
      await addAlone(queue, [anItem(0)]);
      const first = taking("w1", 1);
      await until(() => first.size === 1);
      consumers[0]?.pause();
      const second = taking("w2", 1);
      first.get(0)?.("back");
      await until(() => second.size === 1);
      second.get(0)?.("done");
      await until(async () => (await missingAlone(queue, [0])).length === 1);
    });

    test("tells of an item whose hold was not renewed in time, and gives it back to nobody", async () => {
      await addAlone(queue, [anItem(0)]);
      const { handed, end } = holding();
      await until(() => handed.length === 1);
      await clock.advance(19_000);
      expect(handed[0]?.lost.aborted).toBe(false);
      await clock.advance(1_000);
      expect(handed[0]?.lost.aborted).toBe(true);
      end("back");
      await consumers[0]?.close();
      // Whoever finds it without an owner takes it over: it is still in hand for Redis.
      expect(await missingAlone(queue, [0])).toEqual([]);
      expect(await admin.llen(`nightshift:{${place.runId}}:wait`)).toBe(0);
      expect(errors).toEqual([]);
    });

    test("an outcome that was sent before is recorded before anything is enqueued", async () => {
      // An earlier owner put three items in, a worker answered one and has another in hand.
      await addAlone(queue, [anItem(0), anItem(1), anItem(2)]);
      const worker = taking("w1", 2);
      await until(() => worker.size === 2);
      const [answered = -1, held = -1] = worker.keys();
      await deliver(place, { kind: "outcome", outcome: anOutcome(answered) });
      consumers[0]?.pause();
      worker.get(answered)?.("done");
      await until(async () => (await missingAlone(queue, [answered])).length === 1);

      const wanted = new Set([0, 1, 2]);
      const stream = openOutcomeStream(place);
      const inbox = new Inbox({
        stream,
        record: ({ index }) => Promise.resolve(void wanted.delete(index)),
        onTrouble: () => {},
        onUnrecorded: (error) => void errors.push(error as Error),
        clock,
        log: pino({ level: "silent" }),
      });
      const elsewhere = {
        claimed: () => Promise.resolve(new Set<number>()),
        caughtUp: () => inbox.caughtUp(),
      };
      const kept = [...(await takeUp(queue, elsewhere, new AbortController().signal))];
      const asked = [...wanted].filter((index) => !kept.includes(index));
      expect([wanted.has(answered), kept]).toEqual([false, [held]]);
      expect(asked).toHaveLength(1);
      await inbox.close();
      worker.get(held)?.("done");
    });

    test("is filled again after Redis was emptied, without what a worker says it has in hand", async () => {
      const window = new Window();
      for (const index of [0, 1, 2]) {
        window.put(anItem(index));
        window.send(alone(anItem(index)));
      }
      await addAlone(queue, [anItem(0), anItem(1), anItem(2)]);
      await admin.flushall();
      await showHands(place, "w1", [1], 60_000);
      const refill = new Refill({
        queue,
        window,
        isInHand: () => false,
        elsewhere: {
          hasWorkers: () => true,
          caughtUp: () => Promise.resolve(),
          claimed: () => seeHands(place, ["w1"]),
        },
        hold: new Hold(new AbortController().signal),
        clock,
        log: pino({ level: "silent" }),
      });
      refill.soon();
      await until(async () => (await missingAlone(queue, [0, 1, 2])).length === 1);
      expect(await missingAlone(queue, [0, 1, 2])).toEqual([1]);
      // The worker died and says nothing any more.
      await admin.del(`nightshift:{${place.runId}}:hands:w1`);
      // The minute's look, and the one after what a worker vouches for.
      await until(() => clock.pending > 1);
      await clock.advance(6_000);
      await until(async () => (await missingAlone(queue, [0, 1, 2])).length === 0);
      await refill.close();
    });
  });
}
