import { getEventListeners } from "node:events";

import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";

import { bucketFor, Permits } from "../../../src/gateway/permits.ts";
import { settle } from "../../fakes/fake-clock.ts";

// Bottleneck keeps its own time: these tests wait for real, a moment each.

const NEVER = new AbortController().signal;
/** A bucket of 11 a minute: in a test's time there is no second. */
const ELEVEN = 11;
/** A bucket of 10 every 250 ms. */
const TEN_AGAIN = 2_400;

const opened: Permits[] = [];

function somePermits(perMinute: number): Permits {
  const permits = new Permits(perMinute);
  opened.push(permits);
  return permits;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((permits) => permits.close()));
});

/** How many of these takings are granted without waiting for the next bucket. */
async function grantedAtOnce(permits: Permits, takings: readonly number[]): Promise<number> {
  let granted = 0;
  for (const units of takings) void permits.take(units, NEVER).then(() => (granted += 1));
  await moment();
  return granted;
}

/** Long enough for every grant that needs no waiting. */
async function moment(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  await settle();
}

describe("permits", () => {
  it("grant what the bucket holds, and no more", async () => {
    const permits = somePermits(ELEVEN);
    expect(
      await grantedAtOnce(
        permits,
        Array.from({ length: 25 }, () => 1),
      ),
    ).toBe(11);
    expect(permits.waiting).toBe(14);
  });

  it("count units, not callers", async () => {
    expect(await grantedAtOnce(somePermits(ELEVEN), [4, 4, 4])).toBe(2);
  });

  it("grant in the order of asking: a small one does not overtake a large one", async () => {
    expect(await grantedAtOnce(somePermits(ELEVEN), [4, 9, 1])).toBe(1);
  });

  it("take a need of nothing as one", async () => {
    expect(
      await grantedAtOnce(
        somePermits(ELEVEN),
        Array.from({ length: 12 }, () => 0),
      ),
    ).toBe(11);
  });

  it("grant in parts what is larger than the bucket, then what comes behind it", async () => {
    const permits = somePermits(TEN_AGAIN);
    const began = performance.now();
    await Promise.all([permits.take(25, NEVER), permits.take(5, NEVER)]);
    expect(performance.now() - began).toBeGreaterThan(400);
    expect(permits.waiting).toBe(0);
  });

  it("give refunds out before they touch the bucket", async () => {
    const permits = somePermits(ELEVEN);
    await grantedAtOnce(permits, [11]);
    permits.refund(6);
    expect(await grantedAtOnce(permits, [2, 4])).toBe(2);
  });

  it("keep what a taking leaves of a refund", async () => {
    const permits = somePermits(ELEVEN);
    await grantedAtOnce(permits, [11]);
    permits.refund(6);
    await grantedAtOnce(permits, [2]);
    expect(await grantedAtOnce(permits, [4])).toBe(1);
  });

  it("keep a bucket of refunds at most", async () => {
    const permits = somePermits(ELEVEN);
    await grantedAtOnce(permits, [11]);
    permits.refund(1_000);
    expect(await grantedAtOnce(permits, [11, 1])).toBe(1);
  });

  it("take no refund of less than nothing", async () => {
    const permits = somePermits(ELEVEN);
    permits.refund(5);
    permits.refund(-100);
    expect(await grantedAtOnce(permits, [16])).toBe(1);
  });

  it("let one who stops waiting leave its place to the next", async () => {
    const permits = somePermits(TEN_AGAIN);
    await grantedAtOnce(permits, [10]);
    const stop = new AbortController();
    const reason = new Error("the run ends");
    const stopped = expect(permits.take(10, stop.signal)).rejects.toBe(reason);
    const next = permits.take(1, NEVER);
    stop.abort(reason);
    await stopped;
    expect(permits.waiting).toBe(1);
    await next;
    expect([permits.waiting, getEventListeners(stop.signal, "abort")]).toEqual([0, []]);
  });

  it("leave no listener behind when granted", async () => {
    const { signal } = new AbortController();
    await somePermits(ELEVEN).take(1, signal);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("refuse a caller that has been told to stop already", async () => {
    const taking = somePermits(ELEVEN).take(1, AbortSignal.abort(new Error("stop")));
    await expect(taking).rejects.toThrow("stop");
  });
});

describe("the bucket for a rate", () => {
  it.each([
    [1, { amount: 1, intervalMs: 60_000 }],
    [50, { amount: 25, intervalMs: 30_000 }],
    [60, { amount: 1, intervalMs: 1_000 }],
    [999, { amount: 33, intervalMs: 2_000 }],
    [6_000, { amount: 25, intervalMs: 250 }],
    [1_000_000, { amount: 4_166, intervalMs: 250 }],
    [0.5, { amount: 1, intervalMs: 120_000 }],
  ])("of %d a minute", (perMinute, bucket) => {
    expect(bucketFor(perMinute)).toEqual(bucket);
  });

  it("is never above the rate, and within 2 % of a whole one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), (perMinute) => {
        const { amount, intervalMs } = bucketFor(perMinute);
        const rate = (amount * 60_000) / intervalMs;
        expect(rate).toBeLessThanOrEqual(perMinute * (1 + 1e-9));
        expect(rate).toBeGreaterThanOrEqual(perMinute * 0.98);
      }),
    );
  });

  it("is a whole number of units each whole number of bottleneck's refreshes, and never above the rate", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1_000_000, noNaN: true }), (perMinute) => {
        const { amount, intervalMs } = bucketFor(perMinute);
        expect([amount % 1, intervalMs % 250]).toEqual([0, 0]);
        expect(amount).toBeGreaterThanOrEqual(1);
        expect((amount * 60_000) / intervalMs).toBeLessThanOrEqual(perMinute * (1 + 1e-6));
      }),
    );
  });
});
