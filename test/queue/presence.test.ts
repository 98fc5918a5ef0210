import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Connection } from "../../src/queue/connection.ts";
import { hideHands, showHands } from "../../src/queue/hands.ts";
import type { RunPlace } from "../../src/queue/keys.ts";
import { readRun, type RunState, type RunTerms, wantRun } from "../../src/queue/run-info.ts";
import { signOff, signOn } from "../../src/queue/worker-roll.ts";
import { Presence } from "../../src/run/presence.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import { openServer, SERVER_KINDS, until } from "./servers.ts";

const TERMS: RunTerms = {
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
  proven: false,
  sitting: "1",
  host: "here",
  pid: 1,
};
const NEVER = new AbortController().signal;
const CARD = {
  id: "w1",
  host: "there",
  pid: 2,
  base_url: TERMS.base_url,
  runs: "*",
  concurrency: 8,
  in_flight: { "run-1": 3 },
};

for (const kind of SERVER_KINDS) {
  describe.skipIf(kind.isMissing)(`an owner's presence on ${kind.name}`, () => {
    let connection: Connection;
    let admin: Connection;
    let close: () => Promise<void>;
    let place: RunPlace;
    let clock: FakeClock;
    let presence: Presence;
    let wanted: RunState[];
    let forgotten: number;
    let cutOff: number;
    let came: number;

    beforeEach(async () => {
      ({ connection, admin, close } = await openServer(kind));
      place = { connection, prefix: "nightshift", runId: "run-1" };
      clock = new FakeClock();
      [wanted, forgotten, cutOff, came] = [[], 0, 0, 0];
      presence = aPresence();
    });
    afterEach(async () => {
      presence.stop();
      expect(clock.pending).toBe(0);
      await close();
    });

    function aPresence({ wasLeft = false, wasHeld = false } = {}): Presence {
      return new Presence({
        place,
        terms: TERMS,
        since: 1,
        wasLeft,
        wasHeld,
        counts: () => ({ total: 10, completed: 4, failed: 1, items_per_second: 2 }),
        clock,
        log: pino({ level: "silent" }),
      });
    }

    /** What workers have in hand, and how long it took until that was known. */
    async function claimed(): Promise<{ hands: ReadonlySet<number>; ms: number }> {
      const began = clock.monotonic();
      const all = presence.claimed(NEVER);
      let isKnown = false;
      void all.then(() => (isKnown = true));
      await until(async () => {
        if (!isKnown) await clock.advance(100);
        return isKnown;
      });
      return { hands: await all, ms: clock.monotonic() - began };
    }

    async function speak(hands: readonly number[]): Promise<void> {
      await showHands(place, "w1", hands, 60_000);
      await signOn(place, CARD);
    }

    function start(): void {
      presence.start({
        onWanted: (state) => wanted.push(state),
        onForgotten: () => (forgotten += 1),
        onCutOff: () => (cutOff += 1),
        onWorkers: () => (came += Math.min(1, presence.workers.length)),
      });
    }

    /** Lets a second go by, again and again, until it is so. */
    async function inTime(isSo: () => boolean): Promise<void> {
      await until(async () => {
        if (!isSo()) await clock.advance(1_000);
        return isSo();
      });
    }

    test("tells of the run, and begins anew what an earlier sitting left stopped", async () => {
      expect(await presence.begin()).toBe("running");
      expect(await readRun(place)).toEqual({
        runId: "run-1",
        terms: TERMS,
        state: "running",
        counts: { total: 10, completed: 4, failed: 1, items_per_second: 2 },
        hasOwner: true,
      });
      await wantRun(place, "stopped");
      expect(await presence.begin()).toBe("running");
    });

    test("keeps a pause that was wanted before it began", async () => {
      await presence.begin();
      await wantRun(place, "paused");
      expect(await presence.begin()).toBe("paused");
    });

    test("keeps a pause that only the run directory remembers", async () => {
      presence = aPresence({ wasHeld: true });
      expect(await presence.begin()).toBe("paused");
      expect((await readRun(place))?.state).toBe("paused");
    });

    test.each(["running", "cancelled"] as const)(
      "goes on with a run that was paused when it was left, and is %s since",
      async (since) => {
        await presence.begin();
        await wantRun(place, since);
        presence = aPresence({ wasHeld: true });
        expect(await presence.begin()).toBe("running");
      },
    );

    test.each(["paused", "cancelled"] as const)(
      "leaves it at what somebody wants of the run while it leaves: %s",
      async (wantedNow) => {
        await presence.begin();
        await wantRun(place, wantedNow);
        await presence.leaving();
        expect([presence.state, (await readRun(place))?.state]).toEqual([wantedNow, wantedNow]);
      },
    );

    test("leaves a run paused that Redis has forgotten in the last second", async () => {
      await presence.begin();
      start();
      await wantRun(place, "paused");
      await inTime(() => presence.state === "paused");
      await admin.flushall();
      await presence.leaving();
      expect(presence.state).toBe("paused");
    });

    test("hears once what is wanted of the run", async () => {
      await presence.begin();
      start();
      await wantRun(place, "paused");
      await inTime(() => wanted.length > 0);
      await clock.advance(3_000);
      await wantRun(place, "running");
      await inTime(() => wanted.length > 1);
      expect(wanted).toEqual(["paused", "running"]);
    });

    test("keeps a pause through an emptied Redis, and says that it was emptied", async () => {
      await presence.begin();
      start();
      await wantRun(place, "paused");
      await inTime(() => presence.state === "paused");
      await admin.flushall();
      await inTime(() => forgotten > 0);
      expect((await readRun(place))?.state).toBe("paused");
      expect(wanted).toEqual(["paused"]);
    });

    test("knows what workers that may serve the run have in hand, as long as they say so", async () => {
      await signOn(place, CARD);
      await signOn(place, { ...CARD, id: "w2", base_url: "http://elsewhere/v1" });
      await signOn(place, { ...CARD, id: "w3", runs: "other-*" });
      await showHands(place, "w1", [3, 4], 60_000);
      await showHands(place, "w2", [5], 60_000);
      await presence.begin();
      expect(presence.workers.map(({ id }) => id)).toEqual(["w1"]);
      expect([presence.inFlight, presence.sawWorkers]).toEqual([3, true]);
      expect(await presence.claimed(NEVER)).toEqual(new Set([3, 4]));
      await hideHands(place, "w1");
      expect(await presence.claimed(NEVER)).toEqual(new Set());
      await signOff(place, "w1");
      start();
      await inTime(() => presence.workers.length === 0);
      expect(presence.sawWorkers).toBe(true);
    });

    test("says when the first worker comes, and again when one comes after all have gone", async () => {
      await presence.begin();
      start();
      await signOn(place, { ...CARD, id: "w2", base_url: "http://elsewhere/v1" });
      await clock.advance(3_000);
      for (const times of [1, 2]) {
        await signOn(place, CARD);
        await inTime(() => presence.workers.length === 1);
        await signOn(place, { ...CARD, id: "w4" });
        await inTime(() => presence.workers.length === 2);
        expect(came).toBe(times);
        await signOff(place, "w1");
        await signOff(place, "w4");
        await inTime(() => presence.workers.length === 0);
      }
    });

    test("hears again what workers have in hand after Redis was emptied", async () => {
      await signOn(place, CARD);
      await presence.begin();
      start();
      await admin.flushall();
      await inTime(() => forgotten > 0);
      const hands = claimed();
      await speak([7]);
      expect((await hands).hands).toEqual(new Set([7]));
    });

    test("knows at once what workers have in hand where nothing was forgotten", async () => {
      await speak([7]);
      await presence.begin();
      // On a clock that stands still.
      expect(await presence.claimed(NEVER)).toEqual(new Set([7]));
      // The run was there, and is continued.
      presence = aPresence({ wasLeft: true });
      await presence.begin();
      expect(await presence.claimed(NEVER)).toEqual(new Set([7]));
    });

    test("waits until all workers have found a Redis that was emptied before it began", async () => {
      presence = aPresence({ wasLeft: true });
      await presence.begin();
      clock.after(6_000, () => void speak([7]));
      const { hands, ms } = await claimed();
      expect(hands).toEqual(new Set([7]));
      expect(ms).toBeGreaterThanOrEqual(7_500);
      expect((await readRun(place))?.hasOwner).toBe(true);
    });

    test("waits for workers where Redis is emptied just when it looks", async () => {
      await speak([7]);
      await presence.begin();
      start();
      await admin.flushall();
      clock.after(1_000, () => void speak([7]));
      const { hands, ms } = await claimed();
      expect(hands).toEqual(new Set([7]));
      expect(ms).toBeGreaterThanOrEqual(2_500);
      expect(forgotten).toBe(1);
    });

    test("waits the longer for workers, the longer Redis was away", async () => {
      await presence.begin();
      presence.wasAway(1_500);
      expect((await claimed()).ms).toBeGreaterThanOrEqual(4_000);
      presence.wasAway(600_000);
      const { ms } = await claimed();
      expect(ms).toBeGreaterThanOrEqual(7_500);
      expect(ms).toBeLessThan(8_000);
    });

    test("waits for nobody any more when the sitting ends", async () => {
      presence = aPresence({ wasLeft: true });
      await presence.begin();
      const stopping = new AbortController();
      const waiting = presence.claimed(stopping.signal);
      stopping.abort(new Error("enough"));
      await expect(waiting).rejects.toThrow("enough");
    });

    test("says once that Redis is silent, when others may have taken over", async () => {
      await presence.begin();
      start();
      connection.disconnect();
      await clock.advance(19_000);
      expect(cutOff).toBe(0);
      await clock.advance(120_000);
      expect(cutOff).toBe(1);
    });

    test("says so again when Redis falls silent once more", async () => {
      await presence.begin();
      start();
      for (const times of [1, 2]) {
        connection.disconnect();
        await clock.advance(21_000);
        expect(cutOff).toBe(times);
        await until(() => connection.status === "end");
        await connection.connect();
        await wantRun(place, times === 1 ? "paused" : "running");
        await inTime(() => wanted.length === times);
      }
    });

    test("leaves a run behind for its workers, or forgets it", async () => {
      await signOn(place, CARD);
      await presence.begin();
      await presence.leaving();
      await presence.leave();
      expect(await readRun(place)).toMatchObject({ state: "stopped", hasOwner: false });
      await presence.forget(true);
      expect(await readRun(place)).toMatchObject({ state: "ended", terms: null });
      await presence.forget(false);
      expect(await readRun(place)).toBeNull();
    });
  });
}
