import { getEventListeners } from "node:events";

import { afterEach, describe, expect, it } from "vitest";

import { Permits } from "../../../src/gateway/permits.ts";
import { settle } from "../../fakes/fake-clock.ts";

// Bottleneck keeps its own time: these tests wait for real, a moment each.

const NEVER = new AbortController().signal;
/** So many that a batch of 25 ms holds 250. */
const PER_MINUTE = 600_000;

const opened: Permits[] = [];

function somePermits(fed: number, onWanted: () => void = () => {}): Permits {
  const permits = new Permits(onWanted);
  permits.perMinute = PER_MINUTE;
  permits.feed(fed);
  opened.push(permits);
  return permits;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((permits) => permits.close()));
});

/** How many of these takings are granted with what is there. */
async function granted(permits: Permits, takings: readonly number[]): Promise<number> {
  let count = 0;
  for (const units of takings) void permits.take(units, NEVER).then(() => (count += 1));
  await moment();
  return count;
}

/** Long enough for every grant that needs no feeding. */
async function moment(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 250));
  await settle();
}

describe("permits", () => {
  it("grant what was fed, and no more", async () => {
    const permits = somePermits(11);
    permits.perMinute = 1;
    expect(
      await granted(
        permits,
        Array.from({ length: 25 }, () => 1),
      ),
    ).toBe(11);
    expect([permits.waiting, permits.lacking]).toEqual([14, 14]);
  });

  it("count units, not callers", async () => {
    const permits = somePermits(11);
    permits.perMinute = 1;
    expect(await granted(permits, [4, 4, 4])).toBe(2);
  });

  it("grant in the order of asking: a small one does not overtake a large one", async () => {
    const permits = somePermits(11);
    permits.perMinute = 1;
    expect(await granted(permits, [4, 9, 1])).toBe(1);
  });

  it("take a need of nothing as one", async () => {
    const permits = somePermits(1);
    permits.perMinute = 1;
    expect(await granted(permits, [0, 0])).toBe(1);
  });

  it("grant in parts, as they are fed, what is larger than a batch, then what comes behind it", async () => {
    const permits = somePermits(0);
    const taken = Promise.all([permits.take(600, NEVER), permits.take(5, NEVER)]);
    for (let part = 0; part < 5; part += 1) permits.feed(121);
    await taken;
    expect([permits.waiting, permits.lacking]).toEqual([0, 0]);
  });

  it("lack what is waited for and neither fed nor given back", async () => {
    const permits = somePermits(0);
    void permits.take(100, NEVER);
    permits.feed(30);
    permits.refund(20);
    expect(permits.lacking).toBe(50);
  });

  it("tell when somebody comes to wait", () => {
    let told = 0;
    const permits = somePermits(0, () => (told += 1));
    void permits.take(1, NEVER);
    expect(told).toBe(1);
  });

  it("give refunds out before they touch what was fed", async () => {
    const permits = somePermits(0);
    permits.refund(6);
    expect(await granted(permits, [2, 4])).toBe(2);
  });

  it("keep what a taking leaves of a refund", async () => {
    const permits = somePermits(0);
    permits.refund(6);
    await granted(permits, [2]);
    expect(await granted(permits, [4])).toBe(1);
  });

  it("keep a second's worth of refunds at most", async () => {
    const permits = somePermits(0);
    permits.perMinute = 660;
    permits.refund(1_000);
    expect(await granted(permits, [11, 1])).toBe(1);
  });

  it("take no refund of less than nothing", async () => {
    const permits = somePermits(0);
    permits.refund(5);
    permits.refund(-100);
    expect(await granted(permits, [5])).toBe(1);
  });

  it("let one who stops waiting leave its place to the next", async () => {
    const permits = somePermits(0);
    const stop = new AbortController();
    const reason = new Error("the run ends");
    const stopped = expect(permits.take(10, stop.signal)).rejects.toBe(reason);
    const next = permits.take(1, NEVER);
    stop.abort(reason);
    await stopped;
    expect(permits.waiting).toBe(1);
    permits.feed(11);
    await next;
    expect([permits.waiting, getEventListeners(stop.signal, "abort")]).toEqual([0, []]);
  });

  it("leave no listener behind when granted", async () => {
    const { signal } = new AbortController();
    await somePermits(1).take(1, signal);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("refuse a caller that has been told to stop already", async () => {
    const taking = somePermits(1).take(1, AbortSignal.abort(new Error("stop")));
    await expect(taking).rejects.toThrow("stop");
  });
});
