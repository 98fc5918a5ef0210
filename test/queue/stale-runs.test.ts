import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Connection } from "../../src/queue/connection.ts";
import { outcomesKey, ownerKey, runsKey } from "../../src/queue/keys.ts";
import { openRunQueue } from "../../src/queue/run-queue.ts";
import { forgetStaleRuns } from "../../src/queue/stale-runs.ts";
import { addAlone } from "./alone.ts";
import { openServer, SERVER_KINDS } from "./servers.ts";

for (const kind of SERVER_KINDS) {
  describe.skipIf(kind.isMissing)(`stale runs on ${kind.name}`, () => {
    let connection: Connection;
    let admin: Connection;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ connection, admin, close } = await openServer(kind));
    });
    afterAll(() => close());

    const place = () => ({ connection, prefix: "nightshift" });

    /** What an owner that was killed leaves: two items, and that there is such a run. */
    async function aRun(changes: { owner?: boolean; outcomes?: boolean } = {}): Promise<string> {
      const runId = `r-${randomUUID()}`;
      const run = { ...place(), runId };
      const queue = openRunQueue(run, () => {});
      await addAlone(
        queue,
        [0, 1].map((index) => ({ index, customId: `c${index}`, model: "m", body: "{}" })),
      );
      await queue.close();
      await admin.zadd(runsKey(run), 1, runId);
      await admin.hset(outcomesKey(run).replace(/outcomes$/, "info"), "state", "running");
      if (changes.owner === true) await admin.set(ownerKey(run), "host");
      if (changes.outcomes === true) await admin.xadd(outcomesKey(run), "*", "o", "{}");
      return runId;
    }

    const keysOf = async (runId: string): Promise<number> =>
      (await admin.keys(`nightshift:*${runId}*`)).length;

    const forget = (changes: Partial<Parameters<typeof forgetStaleRuns>[1]> = {}) =>
      forgetStaleRuns(place(), {
        isKept: () => false,
        isOver: () => false,
        dryRun: false,
        ...changes,
      });

    it("are forgotten with everything that they left", async () => {
      const id = await aRun();
      expect(await keysOf(id)).toBeGreaterThan(0);
      expect(await forget({ dryRun: true })).toContain(id);
      expect(await keysOf(id)).toBeGreaterThan(0);
      expect(await forget()).toContain(id);
      expect([await keysOf(id), await admin.zscore("nightshift:runs", id)]).toEqual([0, null]);
    });

    it("are none while an owner lives, where they are kept, or with answers on their way", async () => {
      const owned = await aRun({ owner: true });
      const kept = await aRun();
      const paid = await aRun({ outcomes: true });
      expect(await forget({ isKept: (id) => id === kept })).toEqual([]);
      for (const id of [owned, kept, paid]) expect(await keysOf(id)).toBeGreaterThan(0);
      expect(await forget({ isKept: (id) => id === kept, isOver: (id) => id === paid })).toEqual([
        paid,
      ]);
    });
  });
}
