import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { Connection } from "../../src/queue/connection.ts";
import { type Consumer, consumeRunQueue } from "../../src/queue/consumer.ts";
import type { RunPlace } from "../../src/queue/keys.ts";
import type { Message } from "../../src/queue/message.ts";
import {
  countOutcomes,
  deliver,
  openOutcomeStream,
  type OutcomeStream,
} from "../../src/queue/outcome-stream.ts";
import { forgetRun, wantRun } from "../../src/queue/run-info.ts";
import { openRunQueue, type RunQueue } from "../../src/queue/run-queue.ts";
import { anItem, anOutcome } from "../fakes/outcomes.ts";
import { addAlone, missingAlone } from "./alone.ts";
import { openServer, SERVER_KINDS, until } from "./servers.ts";

const TROUBLE: Message = {
  kind: "trouble",
  trouble: { reason: "account", message: "no money", remedy: "Top up." },
};

function outcome(index: number): Message {
  return { kind: "outcome", outcome: anOutcome(index, "好\u2028") };
}

for (const kind of SERVER_KINDS) {
  describe.skipIf(kind.isMissing)(`outcomes on their way through ${kind.name}`, () => {
    let connection: Connection;
    let admin: Connection;
    let close: () => Promise<void>;
    let place: RunPlace;
    let queue: RunQueue;
    let stream: OutcomeStream;
    let runs = 0;
    const consumers: Consumer[] = [];
    const errors: Error[] = [];

    beforeAll(async () => {
      ({ connection, admin, close } = await openServer(kind));
    });
    afterAll(() => close());
    beforeEach(() => {
      place = { connection, prefix: "nightshift", runId: `run-${(runs += 1)}` };
      queue = openRunQueue(place, (error) => errors.push(error));
      stream = openOutcomeStream(place);
      errors.length = 0;
    });
    afterEach(async () => {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.close()));
      stream.close();
      await queue.clear();
      await queue.close();
      expect(errors).toEqual([]);
    });

    async function look(): Promise<unknown[]> {
      return (await stream.look()).map(({ message }) => message);
    }

    test("arrive in their order, as they were sent, and stay until they are taken out", async () => {
      const sent = [outcome(0), TROUBLE, outcome(1)];
      for (const message of sent) await deliver(place, message);
      const entries = await stream.read(1_000);
      expect(entries.map(({ message }) => message)).toEqual(sent);
      expect(await look()).toEqual(sent);
      await stream.remove(entries.slice(0, 2));
      expect(await look()).toEqual([outcome(1)]);
      expect(await countOutcomes(place)).toBe(1);
    });

    test("come to a reader that waits for them", async () => {
      const reading = stream.read(10_000);
      await deliver(place, outcome(4));
      expect((await reading).map(({ message }) => message)).toEqual([outcome(4)]);
    });

    test("keep nobody waiting for longer than was said, and a closed reader not at all", async () => {
      expect(await stream.read(20)).toEqual([]);
      const reading = stream.read(60_000);
      reading.catch(() => {});
      stream.close();
      await expect(reading).rejects.toThrow();
    });

    test("are read again by the next reader where the last one did not take them out", async () => {
      await deliver(place, outcome(0));
      await stream.read(1_000);
      const next = openOutcomeStream(place);
      expect((await next.read(1_000)).map(({ message }) => message)).toEqual([outcome(0)]);
      next.close();
    });

    test("wait for an owner that is not there, and are refused by a run that has ended", async () => {
      for (const state of ["running", "paused", "cancelled", "stopped"] as const) {
        await wantRun(place, state);
        await deliver(place, outcome(0));
      }
      expect(await countOutcomes(place)).toBe(4);
      await forgetRun(place, true);
      await deliver(place, outcome(1));
      expect(await countOutcomes(place)).toBe(0);
    });

    test("of another version are shown as unknown, and can be taken out", async () => {
      await admin.xadd(`nightshift:{${place.runId}}:outcomes`, "*", "2", "{}");
      const entries = await stream.look();
      expect(entries.map(({ message }) => message)).toEqual([null]);
      await stream.remove(entries);
      expect(await stream.look()).toEqual([]);
    });

    test("take an item out of the queue that was given back meanwhile", async () => {
      await addAlone(queue, [anItem(0), anItem(1)]);
      await deliver(place, outcome(0), "a token of long ago");
      expect(await missingAlone(queue, [0, 1])).toEqual([0]);
    });

    test("leave an item alone that somebody has in hand", async () => {
      const answer = Promise.withResolvers<"done">();
      const tokens: string[] = [];
      const consumer = consumeRunQueue({
        ...place,
        name: "w1",
        capacity: 1,
        handle: ({ token }) => {
          tokens.push(token);
          return answer.promise;
        },
        onError: (error) => errors.push(error),
      });
      consumers.push(consumer);
      consumer.start();
      await addAlone(queue, [anItem(0)]);
      await until(() => tokens.length === 1);
      await deliver(place, outcome(0), "a token of long ago");
      await deliver(place, outcome(0), tokens[0]);
      expect(await missingAlone(queue, [0])).toEqual([]);
      answer.resolve("done");
      await until(async () => (await missingAlone(queue, [0])).length === 1);
    });
  });
}
