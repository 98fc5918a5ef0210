import { describe, expect, it } from "vitest";

import { loadPriceList } from "../../../../src/job/pricing.ts";
import type { BudgetLimits } from "../../../../src/job/resolved-job.ts";
import type { Pricing } from "../../../../src/job/schema.ts";
import { checkPrices, hasBudget } from "../../../../src/run/budget/check.ts";
import { aJob } from "../jobs.ts";

function aBudget(limits: Partial<BudgetLimits>): BudgetLimits {
  return { usd: null, tokens: null, requests: null, ...limits };
}

/** What is said of a run that asks these models. */
async function said(
  limits: Partial<BudgetLimits>,
  models: string[],
  pricing: Pricing | null = null,
): Promise<string> {
  try {
    checkPrices(aJob({ budget: aBudget(limits) }), models, await loadPriceList(pricing));
    return "nothing";
  } catch (error) {
    return String(error);
  }
}

describe("a budget of dollars", () => {
  it("is refused where a price is unknown, with what to do", async () => {
    expect(await said({ usd: 5 }, ["gpt-4o-mini", "mine", "yours"])).toMatch(
      /^UsageError: job\.yaml: .*nobody knows what `mine`, `yours` costs.*`pricing: /,
    );
  });

  it("is fine where the job or the list tells each price", async () => {
    const pricing = { mine: { input: 1, output: 2 } };
    expect(await said({ usd: 5 }, ["gpt-4o-mini", "mine"], pricing)).toBe("nothing");
  });
});

it("of tokens or requests needs no price", async () => {
  expect(await said({ tokens: 5, requests: 5 }, ["mine"])).toBe("nothing");
});

it("is there when any limit is", () => {
  const has = (limits: Partial<BudgetLimits>): boolean =>
    hasBudget(aJob({ budget: aBudget(limits) }));
  expect([{}, { usd: 1 }, { tokens: 1 }, { requests: 1 }].map(has)).toEqual([
    false,
    true,
    true,
    true,
  ]);
});
