import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { Governor } from "../../src/gateway/governor.ts";
import type { Reply } from "../../src/gateway/reply.ts";
import type { Outcome } from "../../src/outcome.ts";
import type { Connection } from "../../src/queue/connection.ts";
import type { RunPlace } from "../../src/queue/keys.ts";
import { openOutcomeStream } from "../../src/queue/outcome-stream.ts";
import { openRunQueue, type RunQueue } from "../../src/queue/run-queue.ts";
import { GatewayHealth } from "../../src/run/gateway-health.ts";
import { ServedRun } from "../../src/run/worker/served-run.ts";
import { Turns } from "../../src/run/worker/turns.ts";
import { type Clock, systemClock } from "../../src/system/clock.ts";
import { aCompletion, type Call, FakeGateway } from "../fakes/fake-gateway.ts";
import { anItem } from "../fakes/outcomes.ts";
import { addAlone, missingAlone } from "./alone.ts";
import { openServer, SERVER_KINDS, until } from "./servers.ts";

/** What takes a second takes a hundredth of one. */
const quick: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) };

for (const kind of SERVER_KINDS) {
  describe.skipIf(kind.isMissing)(`a run that a worker serves on ${kind.name}`, () => {
    let connection: Connection;
    let close: () => Promise<void>;
    let place: RunPlace;
    let queue: RunQueue;
    let runs = 0;
    let served: ServedRun | undefined;
    let faults: string[];
    const stopping = new AbortController();

    beforeAll(async () => {
      ({ connection, close } = await openServer(kind));
    });
    afterAll(() => close());
    beforeEach(() => {
      place = { connection, prefix: "nightshift", runId: `run-${(runs += 1)}` };
      queue = openRunQueue(place, () => {});
      faults = [];
    });
    afterEach(async () => {
      await served?.close();
      await queue.clear();
      await queue.close();
    });

    function serve(script: (call: Call) => Reply): FakeGateway {
      const gateway = new FakeGateway(quick, script);
      const random = (): number => 0;
      served = new ServedRun(
        {
          place,
          worker: "w1",
          client: gateway,
          governor: new Governor({ concurrency: 4, rpm: null, tpm: null, clock: quick, random }),
          health: new GatewayHealth(gateway, quick, stopping.signal),
          turns: new Turns(4),
          capacity: 4,
          clock: quick,
          random,
          log: pino({ level: "silent" }),
          ending: stopping.signal,
          meter: null,
          onOutcome: () => {},
          onFault: (message) => faults.push(message),
          onTrouble: () => {},
        },
        {
          version: 1,
          job: "reviews",
          base_url: "http://127.0.0.1:1/v1",
          models: ["gpt-4o-mini"],
          attempts: 6,
          timeout_ms: 60_000,
          max_outage_ms: 60_000,
          stream: false,
          on_length: "keep",
          rpm: null,
          tpm: null,
          budget: false,
          proven: true,
          sitting: "1",
          host: "here",
          pid: 1,
        },
      );
      return gateway;
    }

    async function outcomes(): Promise<Outcome[]> {
      const stream = openOutcomeStream(place);
      const entries = await stream.look();
      stream.close();
      return entries.flatMap(({ message }) => (message?.kind === "outcome" ? message.outcome : []));
    }

    test("has its items answered, and each leaves the queue when its outcome is sent", async () => {
      await addAlone(queue, [anItem(0), anItem(1)]);
      serve(() => aCompletion());
      await until(async () => (await missingAlone(queue, [0, 1])).length === 2);
      const came = new Map((await outcomes()).map(({ index, kind }) => [index, kind]));
      expect(came).toEqual(
        new Map([
          [0, "completed"],
          [1, "completed"],
        ]),
      );
    });

    test("ends an item that fails five times for a reason that nobody foresaw", async () => {
      const deadly = anItem(3);
      await addAlone(queue, [deadly, anItem(4)]);
      const gateway = serve(({ body }) => {
        if (body === deadly.body) throw new Error("a bug");
        return aCompletion();
      });
      await until(async () => (await missingAlone(queue, [3, 4])).length === 2);
      expect((await outcomes()).find(({ index }) => index === 3)).toMatchObject({
        kind: "failed",
        error: { code: "worker_lost", message: "an unexpected error: a bug" },
      });
      expect(gateway.calls.filter(({ body }) => body === deadly.body)).toHaveLength(5);
      expect(faults).toEqual([]);
    });

    test("is left where one item after the other fails so, and keeps them all", async () => {
      const all = Array.from({ length: 20 }, (_, index) => anItem(index));
      await addAlone(queue, all);
      serve(() => {
        throw new Error("a bug");
      });
      await until(() => faults.length > 0);
      await served?.close();
      expect(faults[0]).toBe("an unexpected error: a bug");
      expect(await outcomes()).toEqual([]);
      expect(
        await missingAlone(
          queue,
          all.map(({ index }) => index),
        ),
      ).toEqual([]);
    });
  });
}
