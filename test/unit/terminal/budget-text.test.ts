import { expect, it } from "vitest";

import { budgetRows } from "../../../src/terminal/budget-text.ts";

it("shows each limit with what is spent of it, and what of that is in doubt", () => {
  const budget = {
    usd: { spent: 3.2104, limit: 5, in_doubt: 0.0123 },
    tokens: { spent: 1_200_000, limit: 2_000_000, in_doubt: 0 },
    requests: { spent: 10, limit: 10_000, in_doubt: 0 },
  };
  expect(budgetRows(budget)).toEqual([
    {
      label: "budget",
      lines: [
        "3.21 of 5.00 USD, 0.0123 of it in doubt",
        "1,200,000 of 2,000,000 tokens",
        "10 of 10,000 requests",
      ],
    },
  ]);
});

it("says nothing of a budget where there is none", () => {
  expect(budgetRows(null)).toEqual([]);
});
