import { describe, expect, it } from "vitest";

import { type AccountOptions, SimulatedAccount } from "../../fakes/simulated-account.ts";

const SEEDS = Array.from({ length: 5 }, (_, index) => index + 1);
const PER_SECOND = { calls: 100, windowMs: 1_000 };
const HALF = { calls: 50, windowMs: 1_000 };

/** The same with each seed; machines stand still for some milliseconds now and then. */
function accounts(options: AccountOptions): SimulatedAccount[] {
  return SEEDS.map((seed) => new SimulatedAccount({ stallMs: 25, ...options, seed }));
}

function least(values: readonly number[]): number {
  return Math.min(...values);
}

function most(values: readonly number[]): number {
  return Math.max(...values);
}

describe("of 6 000 requests a minute in a bucket of one second", () => {
  it("a known limit is used to more than 95 %, and hardly ever refuses", () => {
    const all = accounts({ limit: PER_SECOND, rpm: 6_000 });
    for (const account of all) account.run(15_000);
    expect(least(all.map((account) => account.used(0)))).toBeGreaterThan(0.95);
    expect(most(all.map((account) => account.refusedShare))).toBeLessThan(0.01);
  });

  it("an unknown one is found, by 15 s for good, and named by the end", () => {
    const all = accounts({ limit: PER_SECOND });
    for (const account of all) account.run(45_000);
    expect(least(all.map((account) => account.used(0)))).toBeGreaterThan(0.82);
    expect(least(all.map((account) => account.used(15_000)))).toBeGreaterThan(0.93);
    expect(most(all.map((account) => account.refusedShare))).toBeLessThan(0.01);
    for (const { caller } of all) expect([null, 6_000]).toContain(rounded(caller.learned));
  });

  it("one that halves and doubles again is used well 20 s after each change", () => {
    const all = accounts({ limit: PER_SECOND });
    const [low, high]: [number[], number[]] = [[], []];
    for (const account of all) {
      account.run(30_000);
      account.limit = HALF;
      account.run(35_000);
      low.push(account.used(50_000));
      account.limit = PER_SECOND;
      account.run(35_000);
      high.push(account.used(85_000));
    }
    expect(least(low)).toBeGreaterThan(0.9);
    expect(least(high)).toBeGreaterThan(0.9);
    expect(most(all.map((account) => account.refusedShare))).toBeLessThan(0.01);
  });

  it("two processes use one known limit together, and hardly ever are refused", () => {
    const all = accounts({ limit: PER_SECOND, rpm: 6_000, told: 6_000, processes: 2 });
    for (const account of all) account.run(20_000);
    expect(least(all.map((account) => account.used(0)))).toBeGreaterThan(0.92);
    expect(most(all.map((account) => account.used(0)))).toBeLessThanOrEqual(1);
  });

  it("a machine that stands still for up to 60 ms costs some of it, and no storm", () => {
    const all = accounts({ limit: PER_SECOND, stallMs: 60 });
    for (const account of all) account.run(45_000);
    expect(least(all.map((account) => account.used(0)))).toBeGreaterThan(0.75);
    expect(most(all.map((account) => account.refusedShare))).toBeLessThan(0.01);
  });
});

describe("an unknown limit", () => {
  it.each([
    ["1 000 in a second", { calls: 1_000, windowMs: 1_000 }, 20_000, 0.7],
    ["10 in a second", { calls: 10, windowMs: 1_000 }, 60_000, 0.75],
    ["5 in a second", { calls: 5, windowMs: 1_000 }, 60_000, 0.7],
    ["1 in a second", { calls: 1, windowMs: 1_000 }, 60_000, 0.7],
    ["600 in a minute", { calls: 600, windowMs: 60_000 }, 180_000, 0.9],
    ["60 in a minute", { calls: 60, windowMs: 60_000 }, 180_000, 0.9],
  ])("of %s is used without many refusals", (_name, limit, ms, share) => {
    for (const account of accounts({ limit, concurrency: limit.calls === 1_000 ? 512 : 64 }).slice(
      0,
      2,
    )) {
      account.run(ms);
      expect(account.used(0)).toBeGreaterThan(share);
      expect(account.caller.bursts.length).toBeLessThan(10);
      const perMinute = (limit.calls * 60_000) / limit.windowMs;
      expect(account.caller.rate).toBeGreaterThan(0.8 * perMinute);
      expect(account.caller.rate).toBeLessThan(1.1 * perMinute);
    }
  });

  it("of 20 calls in flight is found, and taken for no rate", () => {
    const all = accounts({ atOnce: 20 });
    for (const account of all) account.run(45_000);
    expect(least(all.map((account) => account.inTheMaking / 20))).toBeGreaterThan(0.8);
    expect(most(all.map((account) => account.refusedShare))).toBeLessThan(0.03);
    for (const { caller } of all) expect([...caller.learned]).toEqual([null]);
  });
});

describe("a gateway that refuses everything for a while", () => {
  it("is asked less than once a second, and teaches nothing", () => {
    for (const account of accounts({ concurrency: 64 })) {
      account.run(5_000);
      const before = account.admitted.length;
      account.isShut = true;
      account.run(20_000);
      expect(account.refused.length).toBeLessThan(20);
      account.isShut = false;
      account.run(40_000);
      expect([...account.caller.learned]).toEqual([null]);
      // Half a minute passes until the longest pause is over.
      expect(account.admitted.length - before).toBeGreaterThan((25 * 64) / 0.31);
    }
  });
});

/** To hundreds. */
function rounded(learned: ReadonlySet<number | null>): number | null {
  const last = [...learned].at(-1) ?? null;
  return last === null ? null : Math.round(last / 100) * 100;
}
