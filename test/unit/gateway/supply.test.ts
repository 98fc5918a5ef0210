import { afterEach, describe, expect, it } from "vitest";

import type { AccountShare, ShareAsk, ShareGrant } from "../../../src/account-share.ts";
import { Permits } from "../../../src/gateway/permits.ts";
import { RateFinder } from "../../../src/gateway/rate-finder.ts";
import { Supply } from "../../../src/gateway/supply.ts";
import { FakeClock, settle } from "../../fakes/fake-clock.ts";

const NOTHING: ShareGrant = {
  requests: 0,
  tokens: 0,
  limits: { rpm: null, tpm: null },
  othersUsed: { requests: 0, tokens: 0 },
  closedMs: 0,
  processes: 2,
};
/** Ten a second. */
const RATE = 600;
const HELD = { ...NOTHING, limits: { rpm: RATE, tpm: null } };

const stopping = new AbortController();
const opened: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

/** Every exchange is answered with what `grant` says, or stays unanswered where that is null. */
function aSupply(
  grant: (ask: ShareAsk) => ShareGrant | Error | null,
  { rpm = RATE, most = null }: { rpm?: number | null; most?: number | null } = {},
): {
  clock: FakeClock;
  asks: ShareAsk[];
  finder: RateFinder;
  closedFor: number[];
  supply: Supply;
  /** Requests that nobody has fed yet. */
  lacking: () => number;
  /** As many requests come to wait. */
  want: (requests: number) => void;
} {
  const clock = new FakeClock();
  const asks: ShareAsk[] = [];
  const share: AccountShare = {
    exchange: async (ask) => {
      asks.push(ask);
      const granted = grant(ask);
      if (granted instanceof Error) throw granted;
      return granted ?? new Promise<never>(() => {});
    },
  };
  const permits = new Permits(() => supply.wanted());
  const tokenPermits = new Permits(() => supply.wanted());
  const finder = new RateFinder(1, most, rpm, clock.monotonic());
  const closedFor: number[] = [];
  const supply: Supply = new Supply({
    requests: { finder, permits },
    tokens: { finder: new RateFinder(1, null, null, 0), permits: tokenPermits },
    clock,
    share,
    onClosed: (ms) => closedFor.push(ms),
  });
  opened.push(async () => {
    supply.close();
    await Promise.all([permits.close(), tokenPermits.close()]);
  });
  const want = (requests: number): void => {
    for (let one = 0; one < requests; one += 1) permits.take(1, stopping.signal).catch(() => {});
  };
  return { clock, asks, finder, closedFor, supply, lacking: () => permits.lacking, want };
}

describe("a process that shares an account", () => {
  it("listens before it tells what it knows, then tells it once", async () => {
    const { clock, asks } = aSupply(() => HELD, { rpm: RATE });
    await clock.advance(3_000);
    expect(asks.map(({ limits }) => limits)).toEqual([{}, {}, {}, {}]);
    const other = aSupply(() => NOTHING, { rpm: RATE });
    await other.clock.advance(3_000);
    expect(other.asks.map(({ limits }) => limits)).toEqual([{}, { rpm: RATE }, {}, {}]);
  });

  it("gets what it is granted, and nothing else", async () => {
    const { clock, lacking, want } = aSupply(({ requests }) => ({
      ...HELD,
      requests: Math.min(requests, 3),
    }));
    await clock.advance(10);
    want(20);
    await clock.advance(0);
    // The first asked before the others came.
    expect(lacking()).toBe(19);
    await clock.advance(100);
    expect(lacking()).toBe(7);
  });

  it("asks forty times a second while calls wait or were sent, else once", async () => {
    const { clock, asks, finder, want } = aSupply(() => HELD);
    await clock.advance(10_000);
    expect(asks.length).toBe(11);
    finder.sent(clock.monotonic(), 1);
    await clock.advance(1_100);
    expect(asks.length).toBe(13);
    want(1);
    await clock.advance(1_000);
    expect(asks.length).toBeGreaterThan(30);
  });

  it.each([600, 60_000])(
    "goes on with its part of %d a minute while nobody answers",
    async (rpm) => {
      let isGone = false;
      const held = { ...HELD, limits: { rpm, tpm: null } };
      const { clock, lacking, want } = aSupply(() => (isGone ? new Error("gone") : held), { rpm });
      await clock.advance(10);
      isGone = true;
      want(rpm / 6);
      await clock.advance(6_000);
      const part = rpm / 20;
      expect(rpm / 6 - lacking()).toBeGreaterThan(0.98 * part - 2);
      expect(rpm / 6 - lacking()).toBeLessThan(1.02 * part + 2);
    },
  );

  it("goes on with its part of the rate while an answer is overdue, and asks nothing more", async () => {
    let isSlow = false;
    const { clock, asks, lacking, want } = aSupply(() => (isSlow ? null : HELD));
    await clock.advance(10);
    isSlow = true;
    want(100);
    await clock.advance(10_000);
    expect(asks.length).toBe(2);
    expect(Math.abs(100 - lacking() - 49)).toBeLessThanOrEqual(2);
  });

  it("saves nothing up over an hour in which the machine slept", async () => {
    let isGone = false;
    const { clock, lacking, want } = aSupply(() => (isGone ? new Error("gone") : HELD));
    await clock.advance(10);
    isGone = true;
    want(100);
    clock.sleepThrough(3_600_000);
    await clock.advance(50);
    expect(100 - lacking()).toBeLessThanOrEqual(3);
  });

  it("makes the others wait when it is told to, at once, and waits when another is", async () => {
    let closedMs = 0;
    const { clock, asks, closedFor, supply } = aSupply(() => ({ ...HELD, closedMs }));
    await clock.advance(10);
    supply.tellClosed(5_000);
    expect(asks.at(-1)?.closeMs).toBe(5_000);
    await clock.advance(1_000);
    expect(asks.at(-1)?.closeMs).toBe(4_000);
    closedMs = 7_000;
    await clock.advance(1_000);
    expect(closedFor).toEqual([7_000]);
  });

  it("tells the most that its user allows, and gives up a higher rate that others do not allow", async () => {
    const capped = aSupply(() => HELD, { rpm: null, most: RATE });
    expect(capped.asks[0]?.most).toEqual({ rpm: RATE, tpm: null });

    const { clock, asks, finder, want } = aSupply(() => HELD);
    await clock.advance(10);
    want(1_000);
    // The rate is used, for a trial begins from nothing less.
    for (let turn = 0; turn < 2_400; turn += 1) {
      finder.sent(clock.monotonic(), (RATE / 60_000) * 25);
      await clock.advance(25);
    }
    const told = asks.flatMap(({ limits }) => limits?.rpm ?? []);
    // Each trial is one step, and is taken back at once.
    expect(told.length).toBeGreaterThanOrEqual(2);
    for (const rpm of told) expect(rpm).toBeLessThan(1.06 * RATE);
    expect(finder.learned).toBeNull();
  });

  it("tells what it has used, and counts what others have", async () => {
    const othersUsed = { requests: 5, tokens: 0 };
    const { clock, asks, finder, want } = aSupply(() => ({ ...HELD, othersUsed }));
    await clock.advance(10);
    want(1_000);
    for (let burst = 0; burst < 2; burst += 1) {
      // 400 a second, half of them by others.
      for (let turn = 0; turn < 40; turn += 1) {
        finder.sent(clock.monotonic(), 5);
        await clock.advance(25);
      }
      expect(asks.at(-1)?.used).toEqual({ requests: 5, tokens: 0 });
      const now = clock.monotonic();
      for (const isNews of [true, false, false, false, false]) {
        finder.refused({ now, sentAt: now, units: 0, sentAfter: 4, told: null, isNews });
      }
      finder.letIn(now + 1);
    }
    expect(finder.rate).toBeGreaterThan(0.9 * 400 * 60);
    expect(finder.rate).toBeLessThan(400 * 60);
  });

  it("leaves no timer behind, and asks nobody any more", async () => {
    const { clock, asks, supply, want } = aSupply(() => HELD);
    want(5);
    await clock.advance(200);
    supply.close();
    const before = asks.length;
    await settle();
    expect(clock.pending).toBe(0);
    want(1);
    supply.tellClosed(1_000);
    await clock.advance(5_000);
    expect(asks.length).toBe(before);
  });
});

it("a process alone makes up for 25 ms in which it was late, and no more", async () => {
  const clock = new FakeClock();
  const permits = new Permits(() => supply.wanted());
  const finder = new RateFinder(1, 6_000, null, 0);
  const supply: Supply = new Supply({
    requests: { finder, permits },
    tokens: { finder: new RateFinder(1, null, null, 0), permits: new Permits(() => {}) },
    clock,
    share: null,
    onClosed: () => {},
  });
  opened.push(async () => {
    supply.close();
    await permits.close();
  });
  for (let one = 0; one < 1_000; one += 1) permits.take(1, stopping.signal).catch(() => {});
  await clock.advance(1_000);
  const before = permits.lacking;
  clock.sleepThrough(200);
  await clock.advance(0);
  // 25 ms at a hundred a second, and one.
  expect(before - permits.lacking).toBeLessThanOrEqual(3);
  expect(before - permits.lacking).toBeGreaterThan(0);
});
