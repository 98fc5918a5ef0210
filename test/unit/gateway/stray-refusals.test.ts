import { describe, expect, it } from "vitest";

import { type AccountOptions, SimulatedAccount } from "../../fakes/simulated-account.ts";

const MINUTE_MS = 60_000;
const RUN_MS = 3 * MINUTE_MS;
const SEEDS = [1, 2, 3];

interface Case {
  readonly strays: number;
  readonly limit: { readonly calls: number; readonly windowMs: number } | null;
  readonly told: number | null;
  readonly latencyMs: readonly [number, number];
}

const LIMITS = [
  null,
  { calls: 100, windowMs: 1_000 },
  { calls: 10, windowMs: 1_000 },
  { calls: 600, windowMs: MINUTE_MS },
];

const LATENCIES = [
  [200, 400],
  [3_000, 3_000],
] as const;

const CASES = [0.02, 0.05, 0.1].flatMap((strays) =>
  LIMITS.flatMap((limit) => {
    const real = perMinute(limit);
    const told = strays === 0.05 ? [null, real ?? 1_000_000] : [null];
    return told.flatMap((named) =>
      LATENCIES.map((latencyMs): [string, Case] => [
        `${strays * 100} %, ${describeLimit(limit)}, told ${named}, answers after ${latencyMs[0]} ms`,
        { strays, limit, told: named, latencyMs },
      ]),
    );
  }),
);

function run(options: AccountOptions): SimulatedAccount {
  const account = new SimulatedAccount({ concurrency: 64, stallMs: 25, ...options });
  account.run(RUN_MS);
  return account;
}

describe("refusals that no limit stands behind", () => {
  it.each(CASES)("of %s", (_name, plan) => {
    const real = perMinute(plan.limit);
    let [sum, possible] = [0, 0];
    for (const seed of SEEDS) {
      const { admitted, caller } = run({ ...plan, seed });
      sum += admitted.length;
      // One that knows the limit, and has the same pauses forced on it.
      const fixedRate = real === null ? null : 0.96 * real;
      possible += run({ ...plan, seed, fixedRate }).admitted.length;
      const found = [...caller.learned].filter((limit) => limit !== null);
      expect(found.filter((limit) => Math.abs(limit / (real ?? 0) - 1) > 0.15)).toEqual([]);
    }
    expect(sum / possible).toBeGreaterThan(0.9);
  });

  it("names no limit far above what was ever used as one that held the run back", () => {
    const { caller } = run({ strays: 0.01, told: 1_000_000, concurrency: 4 });
    expect([caller.bursts.length > 10, [...caller.learned]]).toEqual([true, [null]]);
    expect(caller.rate).toBeLessThanOrEqual(1_000_000);
  });

  it("leave a limit that the gateway names as it is, whatever was measured", () => {
    const limit = { calls: 600, windowMs: MINUTE_MS };
    const { caller } = run({ strays: 0.05, told: 600, limit });
    expect([...caller.learned].filter((found) => found !== null)).toEqual([600]);
    expect(caller.rate).toBeGreaterThanOrEqual(576);
  });
});

function perMinute(limit: Case["limit"]): number | null {
  return limit === null ? null : (limit.calls * MINUTE_MS) / limit.windowMs;
}

function describeLimit(limit: Case["limit"]): string {
  return limit === null ? "no limit" : `${limit.calls} in ${limit.windowMs} ms`;
}
