import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Connection } from "../../src/queue/connection.ts";
import { openScheduleClaims, type ScheduleClaims } from "../../src/queue/schedule-claims.ts";
import { openServer, SERVER_KINDS } from "./servers.ts";

const TICK = Date.UTC(2026, 0, 2, 2);

for (const kind of SERVER_KINDS) {
  describe.skipIf(kind.isMissing)(`claims on ${kind.name}`, () => {
    let connection: Connection;
    let admin: Connection;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ connection, admin, close } = await openServer(kind));
    });
    afterAll(() => close());

    const schedulers = (count: number): ScheduleClaims[] =>
      Array.from({ length: count }, (_, at) =>
        openScheduleClaims(connection, "nightshift", randomUUID(), `host ${at}`),
      );

    it("gives a tick to one of many that ask at once", async () => {
      const all = schedulers(20);
      const job = randomUUID();
      const answers = await Promise.all(all.map((one) => one.claim(job, TICK)));
      expect(answers.filter((answer) => answer === null)).toHaveLength(1);
      const winner = answers.indexOf(null);
      const told = answers.filter((answer) => answer !== null);
      expect(new Set(told.map(({ by }) => by))).toEqual(new Set([`host ${winner}`]));
      expect(told.every(({ isConfirmed }) => !isConfirmed)).toBe(true);
      expect(await all[winner]?.claim(job, TICK)).toBeNull();
    });

    it("keeps a tick whose run has begun, and gives away one whose claim has expired", async () => {
      const [a, b] = schedulers(2);
      const job = randomUUID();
      await a?.claim(job, TICK);
      await a?.confirm(job, TICK);
      expect(await b?.claim(job, TICK)).toEqual({ by: "host 0", isConfirmed: true });
      expect(await b?.taken(job, [TICK, TICK + 1])).toEqual(
        new Map([[TICK, { by: "host 0", isConfirmed: true }]]),
      );

      await a?.claim(job, TICK + 1);
      const left = await admin.pttl(`nightshift:schedule:${job}:${TICK + 1}`);
      expect(left).toBeGreaterThan(50_000);
      expect(left).toBeLessThanOrEqual(60_000);
      await admin.del(`nightshift:schedule:${job}:${TICK + 1}`);
      expect(await b?.claim(job, TICK + 1)).toBeNull();
    });

    it("tells the others that a job runs, until it ends", async () => {
      const [a, b] = schedulers(2);
      const job = randomUUID();
      await a?.hold(job);
      await b?.hold(job);
      expect([await a?.isHeldElsewhere(job), await b?.isHeldElsewhere(job)]).toEqual([false, true]);
      await b?.release(job);
      expect(await b?.isHeldElsewhere(job)).toBe(true);
      await a?.hold(job);
      expect(await admin.pttl(`nightshift:schedule:${job}:busy`)).toBeGreaterThan(50_000);
      await a?.release(job);
      expect(await b?.isHeldElsewhere(job)).toBe(false);
    });
  });
}
