import { once } from "node:events";

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { AccountShare, ShareGrant } from "../../src/account-share.ts";
import { openAccountShare } from "../../src/queue/account-share.ts";
import { type Connection, connect } from "../../src/queue/connection.ts";
import { systemClock } from "../../src/system/clock.ts";
import { FakeClock, settle } from "../fakes/fake-clock.ts";
import { openServer, SERVER_KINDS } from "./servers.ts";

const ACCOUNT = "0123456789abcdef";
const PREFIX = "nightshift";
const KEY = `${PREFIX}:{account:${ACCOUNT}}:share`;
/** Units a second. */
const RATE = 1_000;
const LIMITS = { rpm: RATE * 60, tpm: null };
const GREEDY = { requests: 10_000, tokens: 0 };
const NOTHING = { requests: 0, tokens: 0 };

for (const kind of SERVER_KINDS) {
  describe.skipIf(kind.isMissing)(`an account's share on ${kind.name}`, () => {
    let address: string;
    let connection: Connection;
    let admin: Connection;
    let close: () => Promise<void>;
    let startedAt: number;
    /** Milliseconds that {@link pass} has let go by. */
    let passed: number;

    beforeAll(async () => {
      ({ address, connection, admin, close } = await openServer(kind));
    });
    afterAll(() => close());
    beforeEach(async () => {
      await admin.flushall();
      // The account counts whole milliseconds.
      startedAt = Math.floor(await serverTime());
      passed = 0;
    });

    function open(): AccountShare {
      return openAccountShare({ connection, prefix: PREFIX }, ACCOUNT, systemClock);
    }

    /** One that has told the limits, and so holds an empty bucket. */
    async function limited(limits: { rpm: number | null; tpm: number | null } = LIMITS) {
      const share = open();
      await share.exchange({ ...NOTHING, limits });
      return share;
    }

    async function serverTime(): Promise<number> {
      const [seconds, microseconds] = await admin.time();
      return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
    }

    /** Time goes by for the account: what is kept was written `ms` earlier. */
    async function pass(ms: number): Promise<void> {
      const state = JSON.parse((await admin.get(KEY)) ?? "") as { at: number };
      await admin.set(KEY, JSON.stringify({ ...state, at: state.at - ms }));
      passed += ms;
    }

    /** Units that a rate brings from the start of the test until now, real time included. */
    async function accrued(perSecond = RATE): Promise<number> {
      return ((passed + (await serverTime()) - startedAt) * perSecond) / 1_000;
    }

    test("grants everything while no limit is known", async () => {
      expect(await open().exchange({ requests: 500, tokens: 7_000_000 })).toEqual({
        requests: 500,
        tokens: 7_000_000,
        limits: { rpm: null, tpm: null },
        othersUsed: { requests: 0, tokens: 0 },
        closedMs: 0,
        processes: 1,
      } satisfies ShareGrant);
    });

    test("tells everybody the limits that one has learned", async () => {
      const [first, second] = [open(), open()];
      await second.exchange(NOTHING);
      await first.exchange({ ...NOTHING, limits: { rpm: 1_000 / 3, tpm: 200_000 } });
      const { limits } = await second.exchange(NOTHING);
      expect(limits).toEqual({ rpm: 1_000 / 3, tpm: 200_000 });
    });

    test("forgets a limit when one learns that there is none", async () => {
      const first = await limited();
      await open().exchange({ ...NOTHING, limits: { rpm: null, tpm: 60 } });
      const { requests, limits } = await first.exchange(GREEDY);
      expect([requests, limits]).toEqual([GREEDY.requests, { rpm: null, tpm: 60 }]);
    });

    test("starts empty", async () => {
      const share = await limited({ rpm: 60, tpm: 600 });
      const { requests, tokens } = await share.exchange({ requests: 10, tokens: 10 });
      expect([requests, tokens]).toEqual([0, 0]);
    });

    test("holds the rate over many small exchanges", async () => {
      const share = await limited();
      let granted = 0;
      for (let turn = 0; turn < 300; turn += 1) {
        await pass(37);
        granted += (await share.exchange({ requests: 64, tokens: 0 })).requests;
      }
      const due = await accrued();
      expect(granted).toBeLessThanOrEqual(due);
      expect(granted).toBeGreaterThan(0.98 * due);
    });

    test("holds a rate of less than one a poll", async () => {
      const share = await limited({ rpm: 420, tpm: null });
      let granted = 0;
      for (let turn = 0; turn < 300; turn += 1) {
        await pass(100);
        granted += (await share.exchange({ requests: 5, tokens: 0 })).requests;
      }
      const due = await accrued(7);
      expect(granted).toBeLessThanOrEqual(due);
      expect(granted).toBeGreaterThan(0.98 * due - 1);
    });

    test.each([25, 100])(
      "keeps for one who asks every %d ms what comes in that time and a little more",
      async (everyMs) => {
        const share = await limited();
        for (let turn = 0; turn < 100; turn += 1) {
          await pass(everyMs);
          await share.exchange(GREEDY);
        }
        await pass(400);
        const { requests } = await share.exchange(GREEDY);
        expect(requests).toBeGreaterThanOrEqual(everyMs + 25);
        expect(requests).toBeLessThan(everyMs + 35);
      },
    );

    test("saves up one and no more while nobody waits", async () => {
      const share = await limited();
      // Who has not asked for half a second waits no longer.
      for (const ask of [GREEDY, NOTHING, { requests: 1, tokens: 0 }]) {
        await share.exchange(ask);
        await pass(60_000);
        expect((await share.exchange(GREEDY)).requests).toBe(1);
        await pass(100);
        await share.exchange({ requests: 1, tokens: 0 });
      }
    });

    test("saves up nothing while all are to wait", async () => {
      const share = await limited();
      await share.exchange({ ...GREEDY, closeMs: 2_000 });
      for (const ms of [1_900, 200]) {
        await pass(ms);
        expect((await share.exchange(GREEDY)).requests).toBe(0);
      }
      await pass(50);
      const { requests } = await share.exchange(GREEDY);
      expect(requests).toBeGreaterThanOrEqual(50);
      expect(requests).toBeLessThan(70);
    });

    test("grants what is larger than the bucket in parts", async () => {
      const share = await limited({ rpm: null, tpm: 6_000 });
      let left = 1_000;
      let turns = 0;
      for (; left > 0 && turns < 200; turns += 1) {
        await pass(100);
        left -= (await share.exchange({ requests: 0, tokens: left })).tokens;
      }
      expect(left).toBe(0);
      expect(await accrued(100)).toBeGreaterThanOrEqual(1_000);
    });

    /**
     * Lets several processes ask right after one another for a while.
     *
     * @param asks requests that each asks for, again and again.
     * @param every each asks in every so-maniest turn of 50 ms only.
     */
    async function contend(
      perSecond: number,
      asks: readonly number[],
      every: readonly number[] = [],
    ): Promise<{ got: number[]; all: number; due: number }> {
      await limited({ rpm: perSecond * 60, tpm: null });
      const shares = asks.map(() => open());
      const got = asks.map(() => 0);
      for (let turn = 0; turn < 400; turn += 1) {
        await pass(50);
        for (const [at, share] of shares.entries()) {
          if (turn % (every[at] ?? 1) !== 0) continue;
          const { requests } = await share.exchange({ requests: asks[at] ?? 0, tokens: 0 });
          got[at] = (got[at] ?? 0) + requests;
        }
      }
      const all = got.reduce((sum, part) => sum + part, 0);
      return { got, all, due: await accrued(perSecond) };
    }

    test.each([
      ["always ask right after one another", [10_000, 10_000], [1, 1]],
      ["ask for little more than their part", [30, 40], [1, 1]],
      ["ask for very different amounts", [10_000, 100], [1, 1]],
      ["do not ask equally often", [10_000, 10_000], [1, 3]],
    ] as const)("two that %s get the same", async (_, asks, every) => {
      const { got, all, due } = await contend(RATE, asks, every);
      for (const part of got) expect(Math.abs(part / all - 1 / 2)).toBeLessThan(0.02);
      expect(all).toBeGreaterThan(0.98 * due);
      expect(all).toBeLessThanOrEqual(due);
    });

    test.each([2, 5])("%i share a slow rate in whole units", async (processes) => {
      const { got, all, due } = await contend(2, Array<number>(processes).fill(5));
      expect(Math.max(...got) - Math.min(...got)).toBeLessThanOrEqual(1);
      expect(all).toBeGreaterThan(0.95 * due - 1);
      expect(all).toBeLessThanOrEqual(due);
    });

    test("what one does not want the others get, each the same", async () => {
      const { got, all, due } = await contend(RATE, [5, 10_000, 10_000]);
      const [modest = 0, first = 0, second = 0] = got;
      // 5 every 50 ms.
      expect(modest).toBeGreaterThan(0.09 * due);
      expect(Math.abs(first - second) / all).toBeLessThan(0.02);
      expect(all).toBeGreaterThan(0.98 * due);
      expect(all).toBeLessThanOrEqual(due);
    });

    test("one gets everything beside one that wants nothing", async () => {
      const { got, due } = await contend(RATE, [0, 10_000]);
      expect(got[1]).toBeGreaterThan(0.98 * due);
    });

    test("what one was due and wants no more the other gets at once", async () => {
      const [first, second] = [await limited({ rpm: 6_000, tpm: null }), open()];
      for (const share of [first, second]) await share.exchange(GREEDY);
      await pass(100);
      await first.exchange(NOTHING);
      expect((await second.exchange(GREEDY)).requests).toBeGreaterThanOrEqual(10);
    });

    test("what one that went away was due comes to the others", async () => {
      const [first, second] = [await limited(), open()];
      for (const share of [first, second]) await share.exchange(GREEDY);
      let granted = 0;
      for (let turn = 0; turn < 100; turn += 1) {
        await pass(100);
        granted += (await second.exchange(GREEDY)).requests;
      }
      const due = await accrued();
      // Half a second at half the rate is kept for the one that may come back.
      expect(granted).toBeGreaterThan(0.98 * due - RATE / 4);
    });

    test("grants at a lower limit at once and steadily", async () => {
      const [first, second] = [await limited(), open()];
      for (const share of [first, second]) await share.exchange(GREEDY);
      await pass(200);
      await first.exchange({ ...NOTHING, limits: { rpm: 6_000, tpm: null } });
      const granted = [0, 0] as [number, number];
      for (let turn = 0; turn < 20; turn += 1) {
        await pass(100);
        granted[0] += (await first.exchange(GREEDY)).requests;
        granted[1] += (await second.exchange(GREEDY)).requests;
      }
      const all = granted[0] + granted[1];
      expect(all).toBeGreaterThan(0.98 * 100 * 2);
      // A bucket of the lower limit, 11, is all that is left from before; who comes first gets it.
      expect(all).toBeLessThanOrEqual(11 + (await accrued(100)));
      expect(Math.abs(granted[0] - granted[1])).toBeLessThan(40);
    });

    test("nobody goes above what one's user allows, from the moment that one is there until it goes", async () => {
      const [free, capped] = [await limited(), open()];
      await pass(200);
      const most = { rpm: 6_000, tpm: null };
      expect((await capped.exchange({ ...NOTHING, most })).limits).toEqual(most);
      await pass(200);
      expect((await free.exchange(GREEDY)).requests).toBeLessThanOrEqual(11);
      const higher = { rpm: 90_000, tpm: null };
      expect((await free.exchange({ ...NOTHING, limits: higher })).limits).toEqual(most);
      let granted = 0;
      for (let turn = 0; turn < 30; turn += 1) {
        await pass(50);
        granted += (await free.exchange(GREEDY)).requests;
        await capped.exchange({ ...NOTHING, most });
      }
      expect(granted).toBeGreaterThan(0.9 * 150);
      expect(granted).toBeLessThanOrEqual(11 + (await accrued(100)));
      await pass(2_000);
      // What was told against it does not hold later either.
      expect((await free.exchange(NOTHING)).limits).toEqual(most);
    });

    test("what one's user allows is the limit where no other is known", async () => {
      const [capped, free] = [open(), open()];
      const most = { rpm: null, tpm: 6_000 };
      await capped.exchange({ ...NOTHING, most });
      await pass(60_000);
      await capped.exchange({ ...NOTHING, most });
      const grant = await free.exchange({ requests: 9, tokens: 1_000 });
      expect(grant).toMatchObject({ requests: 9, limits: most });
      expect(grant.tokens).toBeLessThanOrEqual(11);
    });

    test("tells each what the others have used since it asked last", async () => {
      const [first, second, third] = [open(), open(), open()];
      for (const share of [first, second, third]) await share.exchange(NOTHING);
      const use = async (share: AccountShare, requests: number, tokens: number) =>
        (await share.exchange({ ...NOTHING, used: { requests, tokens } })).othersUsed;
      expect(await use(first, 3, 70.5)).toEqual({ requests: 0, tokens: 0 });
      expect(await use(second, 2, 0)).toEqual({ requests: 3, tokens: 70.5 });
      expect(await use(second, -1, -0.5)).toEqual({ requests: 0, tokens: 0 });
      expect(await use(third, 0, 0)).toEqual({ requests: 4, tokens: 70 });
      expect(await use(first, 0, 0)).toEqual({ requests: 1, tokens: -0.5 });
    });

    test("counts the processes that have asked within two seconds", async () => {
      const [first, second] = [open(), open()];
      await first.exchange(NOTHING);
      expect((await second.exchange(NOTHING)).processes).toBe(2);
      await pass(1_500);
      expect((await second.exchange(NOTHING)).processes).toBe(2);
      await pass(500);
      expect((await second.exchange(NOTHING)).processes).toBe(1);
    });

    test("one that is told to wait makes everybody wait", async () => {
      const [first, second] = [open(), open()];
      await first.exchange({ ...NOTHING, closeMs: 20_000 });
      const { requests, closedMs } = await second.exchange(GREEDY);
      expect(requests).toBe(0);
      expect(closedMs).toBeGreaterThan(15_000);
      expect(closedMs).toBeLessThanOrEqual(20_000);
      await pass(20_000);
      expect(await second.exchange(GREEDY)).toMatchObject({ requests: 10_000, closedMs: 0 });
    });

    test("the later of two ends of waiting holds", async () => {
      const share = open();
      await share.exchange({ ...NOTHING, closeMs: 20_000 });
      const { closedMs } = await share.exchange({ ...NOTHING, closeMs: 1_000 });
      expect(closedMs).toBeGreaterThan(15_000);
    });

    test("starts from empty with the same limits on a Redis that was emptied", async () => {
      const [first, second] = [await limited({ rpm: 60, tpm: 60 }), open()];
      await second.exchange(NOTHING);
      await pass(60_000);
      await admin.flushall();
      const grant = await second.exchange({ requests: 10, tokens: 10 });
      expect(grant).toMatchObject({ requests: 0, tokens: 0, limits: { rpm: 60, tpm: 60 } });
      expect((await first.exchange(NOTHING)).limits).toEqual({ rpm: 60, tpm: 60 });
    });

    test("takes the limits from one who knows them when a newcomer found Redis emptied", async () => {
      const [knowing, newcomer] = [await limited(), open()];
      await admin.flushall();
      await newcomer.exchange(NOTHING);
      await knowing.exchange(NOTHING);
      expect((await newcomer.exchange(NOTHING)).limits).toEqual(LIMITS);
    });

    test("goes on when Redis has forgotten the script", async () => {
      const share = await limited();
      await admin.script("FLUSH");
      expect((await share.exchange(NOTHING)).limits).toEqual(LIMITS);
    });

    test("loses nothing but an instant when Redis's clock goes back", async () => {
      const share = await limited();
      await pass(-3_600_000);
      await share.exchange({ ...NOTHING, closeMs: 100 });
      await pass(300);
      const { closedMs } = await share.exchange(GREEDY);
      await pass(300);
      const { requests } = await share.exchange(GREEDY);
      expect(closedMs).toBe(0);
      expect(requests).toBeGreaterThan(80);
      expect(requests).toBeLessThan(120);
    });

    test("keeps one key, for an hour after the last use", async () => {
      await limited();
      expect(await admin.keys("*")).toEqual([KEY]);
      const ttl = await admin.pttl(KEY);
      expect(ttl).toBeGreaterThan(3_590_000);
      expect(ttl).toBeLessThanOrEqual(3_600_000);
    });

    test("rejects at once while Redis is not connected", async () => {
      const other = await connect(address);
      const share = openAccountShare({ connection: other, prefix: PREFIX }, ACCOUNT, systemClock);
      other.disconnect();
      await once(other, "end");
      await expect(share.exchange(GREEDY)).rejects.toThrow("Redis is not connected");
    });

    test("rejects after a second without an answer", async () => {
      const clock = new FakeClock();
      const busy = await connect(address);
      const share = openAccountShare({ connection: busy, prefix: PREFIX }, ACCOUNT, clock);
      // Until it is let go, Redis answers nothing else on this connection.
      const blocked = busy.bzpopmin(`${PREFIX}:nobody-writes-this`, 0).catch(() => {});
      const outcome = share.exchange(GREEDY).catch((error: unknown) => error);
      await clock.advance(1_000);
      busy.disconnect();
      expect(await outcome).toEqual(new Error("Redis did not answer within 1000 ms"));
      await blocked;
    });

    test("leaves no timer behind", async () => {
      const clock = new FakeClock();
      await openAccountShare({ connection, prefix: PREFIX }, ACCOUNT, clock).exchange(NOTHING);
      await settle();
      expect(clock.pending).toBe(0);
    });
  });
}
