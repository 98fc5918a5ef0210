import { describe, expect, it } from "vitest";

import { seededRandom } from "../../../src/system/random.ts";
import { LimitedAccount } from "../../fakes/limited-account.ts";

const MINUTE_MS = 60_000;
const RUN_MS = 4 * MINUTE_MS;
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

interface Case {
  readonly share: number;
  readonly limit: { readonly allowed: number; readonly windowMs: number } | null;
  readonly told: number | null;
  readonly answerMs: number;
}

const LIMITS = [
  null,
  { allowed: 100, windowMs: 1_000 },
  { allowed: 10, windowMs: 1_000 },
  { allowed: 600, windowMs: MINUTE_MS },
];

const CASES = [0.02, 0.05, 0.1].flatMap((share) =>
  LIMITS.flatMap((limit) => {
    const real = limit === null ? null : (limit.allowed * MINUTE_MS) / limit.windowMs;
    return [null, real ?? 1_000_000].flatMap((told) =>
      [50, 3_000].map((answerMs): [string, Case] => [
        `${share * 100} %, ${real === null ? "no limit" : `${real} a minute in ${(limit?.windowMs ?? 0) / 1000} s`}, ${told === null ? "untold" : `told ${told}`}, answers after ${answerMs} ms`,
        { share, limit, told, answerMs },
      ]),
    );
  }),
);

function account(
  { share, limit, told, answerMs }: Case,
  seed: number,
  fixedRate?: number | null,
): LimitedAccount {
  return new LimitedAccount(limit?.allowed ?? Infinity, limit?.windowMs, {
    answerMs,
    atOnce: 64,
    strays: { share, random: seededRandom(seed) },
    told: () => told,
    ...(fixedRate !== undefined && { fixedRate }),
  });
}

describe("refusals that no limit stands behind", () => {
  it.each(CASES)("of %s", (_name, plan) => {
    const real =
      plan.limit === null ? null : (plan.limit.allowed * MINUTE_MS) / plan.limit.windowMs;
    const isWithin = (found: number | null, share: number): boolean =>
      found === null || (real !== null && Math.abs(found / real - 1) <= share);
    let [sum, possible] = [0, 0];
    for (const seed of SEEDS) {
      const run = account(plan, seed);
      run.run(RUN_MS);
      // One that knows the limit, and has the same pauses forced on it.
      const best = account(plan, seed, real === null ? null : 0.96 * real);
      best.run(RUN_MS);
      sum += run.admitted.length;
      possible += best.admitted.length;
      expect([...run.learned].filter((found) => !isWithin(found, 0.15))).toEqual([]);
      expect([run.finder.learned].filter((found) => !isWithin(found, 0.15))).toEqual([]);
    }
    expect(sum / possible).toBeGreaterThan(0.9);
  });

  it("names no limit far above what was ever used as one that held the run back", () => {
    const told = new LimitedAccount(Infinity, 1_000, {
      pace: 0.02,
      strays: { share: 0.01, random: seededRandom(1) },
      told: () => 1_000_000,
    });
    told.run(RUN_MS);
    expect([told.bursts.length > 10, told.finder.learned]).toEqual([true, null]);
    expect(told.finder.rate).toBeLessThanOrEqual(1_000_000);
  });

  it("leave a limit that the gateway names as it is, whatever was measured", () => {
    const run = new LimitedAccount(600, MINUTE_MS, {
      answerMs: 300,
      atOnce: 64,
      strays: { share: 0.05, random: seededRandom(1) },
      told: () => 600,
    });
    run.run(RUN_MS);
    expect([...run.learned].filter((found) => found !== null)).toEqual([600]);
    expect(run.finder.rate).toBeGreaterThanOrEqual(576);
  });
});
