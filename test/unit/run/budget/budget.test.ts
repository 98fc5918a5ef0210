import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Budget, type Cost, NO_COST } from "../../../../src/run/budget/budget.ts";

const NO_LIMITS = { usd: null, tokens: null, requests: null };

function tokens(count: number): Cost {
  return { usd: 0, tokens: count, requests: 1 };
}

describe("a budget", () => {
  it("lets calls go as long as the most that they may cost fits beside what is set aside", () => {
    const budget = new Budget({ ...NO_LIMITS, tokens: 100 }, tokens(10));
    expect([60, 31, 30, 1].map((count) => budget.reserve(tokens(count)))).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  it("gets back what a call did not cost", () => {
    const budget = new Budget({ ...NO_LIMITS, tokens: 100 }, NO_COST);
    budget.reserve(tokens(100));
    budget.settle(tokens(100), tokens(40));
    expect([budget.spent.tokens, budget.reserve(tokens(61)), budget.reserve(tokens(60))]).toEqual([
      40,
      false,
      true,
    ]);
  });

  it("counts in dollars, tokens and requests at once, and knows which of them lacks", () => {
    const spent = { usd: 0.5, tokens: 90, requests: 5 };
    const budget = new Budget({ usd: 1, tokens: 100, requests: 5 }, spent);
    expect(budget.shortOf({ usd: 0.6, tokens: 10, requests: 1 })).toEqual(["usd", "requests"]);
  });

  it("without a limit lets everything go", () => {
    const budget = new Budget(NO_LIMITS, NO_COST);
    expect(budget.reserve({ usd: 1e9, tokens: 1e12, requests: 1e9 })).toBe(true);
  });

  it("gives back what turned out not to be spent", () => {
    const budget = new Budget({ ...NO_LIMITS, tokens: 100 }, tokens(100));
    budget.refund({ usd: 0, tokens: 30, requests: 0 });
    expect(budget.reserve(tokens(30))).toBe(true);
  });

  it("is not crossed by any order of calls and answers, and nothing leaks", () => {
    const cost = fc.record({ usd: fc.nat(50), tokens: fc.nat(50), requests: fc.constant(1) });
    // Each call: the most that it may cost, the share of it that it does cost, and whether the
    // oldest or the newest call in flight is answered next, if any.
    const step = fc.record({
      worst: cost,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      answers: fc.constantFrom("none", "oldest", "newest"),
    });
    fc.assert(
      fc.property(cost, fc.array(step, { maxLength: 60 }), ({ usd, tokens }, steps) => {
        const limits = { usd: usd * 4, tokens: tokens * 4, requests: 30 };
        const budget = new Budget(limits, NO_COST);
        const inFlight: { worst: Cost; used: Cost }[] = [];
        const billed = { usd: 0, tokens: 0, requests: 0 };
        const answer = (call: { worst: Cost; used: Cost } | undefined): void => {
          if (call === undefined) return;
          budget.settle(call.worst, call.used);
          for (const unit of ["usd", "tokens", "requests"] as const) {
            billed[unit] += call.used[unit];
            expect(billed[unit]).toBeLessThanOrEqual(limits[unit]);
          }
        };
        for (const { worst, share, answers } of steps) {
          const used = {
            usd: Math.floor(worst.usd * share),
            tokens: Math.floor(worst.tokens * share),
            requests: 1,
          };
          if (budget.reserve(worst)) inFlight.push({ worst, used });
          if (answers !== "none") answer(answers === "oldest" ? inFlight.shift() : inFlight.pop());
        }
        while (inFlight.length > 0) answer(inFlight.pop());
        expect([budget.spent, budget.open]).toEqual([billed, 0]);
        const left = {
          usd: limits.usd - billed.usd,
          tokens: limits.tokens - billed.tokens,
          requests: limits.requests - billed.requests,
        };
        expect(budget.reserve(left)).toBe(true);
      }),
    );
  });
});
