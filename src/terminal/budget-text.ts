import { formatCount, formatMoney } from "./format.ts";
import type { Row } from "./rows.ts";

/** How far one limit of a budget is used up. */
export interface BudgetLineView {
  readonly spent: number;
  readonly limit: number;
  /** Part of `spent`: what calls without an answer may have cost at most. */
  readonly in_doubt: number;
}

/** What a run may spend and has spent, as far as it is shown; null where there is no limit. */
export interface BudgetView {
  readonly usd: BudgetLineView | null;
  readonly tokens: BudgetLineView | null;
  readonly requests: BudgetLineView | null;
}

const NOUNS = { usd: "USD", tokens: "tokens", requests: "requests" } as const;

export function budgetRows(budget: BudgetView | null): Row[] {
  if (budget === null) return [];
  const lines = (["usd", "tokens", "requests"] as const).flatMap((unit) => {
    const line = budget[unit];
    if (line === null) return [];
    const doubt = line.in_doubt > 0 ? `, ${amount(unit, line.in_doubt)} of it in doubt` : "";
    return [spentText(unit, line) + doubt];
  });
  return [{ label: "budget", lines }];
}

/** `3.21 of 5.00 USD`, `1,200 of 2,000 tokens`. */
export function spentText(
  unit: keyof BudgetView,
  { spent, limit }: Pick<BudgetLineView, "spent" | "limit">,
): string {
  return `${amount(unit, spent)} of ${amount(unit, limit)} ${NOUNS[unit]}`;
}

/** `0.0123`, `1,200`. */
export function amount(unit: keyof BudgetView, value: number): string {
  return unit === "usd" ? formatMoney(value).replace("$", "") : formatCount(Math.ceil(value));
}
