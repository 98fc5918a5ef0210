import * as fc from "fast-check";
import { expect, test } from "vitest";

import { LatencyHistogram } from "../../../src/ledger/latency.ts";

test("no durations have no percentile", () => {
  expect(new LatencyHistogram().percentile(0.5)).toBeNull();
});

test("a percentile lies at most 5 % and a rounding above the true one, and never below it", () => {
  const durations = fc.array(fc.integer({ min: 1, max: 3_600_000 }), { minLength: 1 });
  fc.assert(
    fc.property(durations, fc.constantFrom(0, 0.5, 0.95, 0.99, 1), (all, p) => {
      const histogram = new LatencyHistogram();
      for (const ms of all) histogram.add(ms);
      const sorted = all.toSorted((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil(p * all.length)) - 1] ?? 0;
      const found = histogram.percentile(p) ?? 0;
      expect(found).toBeGreaterThanOrEqual(exact - 0.5);
      expect(found).toBeLessThanOrEqual(exact * 1.05 + 0.5);
    }),
  );
});
