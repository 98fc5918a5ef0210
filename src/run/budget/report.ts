import type { BudgetLimits } from "../../job/resolved-job.ts";
import type { Unrecorded } from "../../ledger/unrecorded.ts";
import type { UsageReport } from "../../ledger/usage.ts";
import type { CostOf, TokenUsage } from "../../tokens.ts";
import { type Cost, NO_COST, plus, type Unit } from "./budget.ts";

/** How far one limit of a budget is used up. */
export interface BudgetLine {
  readonly spent: number;
  readonly limit: number;
  /** Part of `spent`: what calls without an answer may have cost at most. */
  readonly in_doubt: number;
}

/** What a run may spend and has spent in all its sittings; null where there is no limit. */
export type BudgetReport = Readonly<Record<Unit, BudgetLine | null>>;

/** @returns null for a run without a budget. */
export function reportBudget({
  limits,
  usage,
  unrecorded,
  usdOf,
}: {
  /** Undefined in the run.json of an earlier version. */
  readonly limits: BudgetLimits | undefined;
  readonly usage: UsageReport;
  readonly unrecorded: Unrecorded | null;
  readonly usdOf: UsdOfUsage;
}): BudgetReport | null {
  if (limits === undefined) return null;
  const doubt = unrecorded === null ? NO_COST : unrecordedCost(unrecorded, usdOf);
  const spent = spentSoFar(usage, unrecorded, usdOf);
  const line = (unit: Unit, inDoubt: number): BudgetLine | null => {
    const limit = limits[unit];
    return limit === null ? null : { spent: spent[unit], limit, in_doubt: inDoubt };
  };
  const report = {
    usd: line("usd", doubt.usd),
    tokens: line("tokens", doubt.tokens),
    requests: line("requests", 0),
  };
  return Object.values(report).every((part) => part === null) ? null : report;
}

/** What all calls of a run cost, or may have cost at most. */
export function spentSoFar(
  usage: UsageReport,
  unrecorded: Unrecorded | null,
  usdOf: UsdOfUsage,
): Cost {
  const recorded = costOfModels(usage.models, usdOf);
  if (unrecorded !== null) return plus(recorded, unrecordedCost(unrecorded, usdOf));
  // Before a run has a budget, only its outcomes tell of calls.
  const failed = costOfModels(usage.failed_usage.models, usdOf);
  return { ...plus(recorded, failed), requests: usage.attempts };
}

function costOfModels(models: UsageReport["models"], usdOf: UsdOfUsage): Cost {
  const costs = Object.entries(models).map(([model, totals]): Cost => {
    const used = {
      prompt: totals.prompt_tokens,
      completion: totals.completion_tokens,
      total: totals.total_tokens,
      cached: totals.cached_tokens,
      reasoning: totals.reasoning_tokens,
    };
    const usd = totals.cost_usd ?? usdOf(model, used, totals.items);
    return { usd, tokens: totals.total_tokens, requests: 0 };
  });
  return costs.reduce(plus, NO_COST);
}

/** US dollars. */
export type UsdOfUsage = (model: string, usage: TokenUsage, calls?: number) => number;

/**
 * Prices for the budget's purposes: an answer may name its model otherwise than the request did,
 * and then costs what the dearest of those costs that were asked.
 *
 * @param models that the run asks.
 */
export function pricesFor(costOf: CostOf, models: readonly string[]): UsdOfUsage {
  return (model, usage, calls = 1) =>
    costOf(model, usage, calls) ??
    models.reduce((most, asked) => Math.max(most, costOf(asked, usage, calls) ?? 0), 0);
}

function unrecordedCost(unrecorded: Unrecorded, usdOf: UsdOfUsage): Cost {
  const usd = unrecorded.usd((model, prompt, completion, calls) =>
    usdOf(
      model,
      { prompt, completion, total: prompt + completion, cached: 0, reasoning: 0 },
      calls,
    ),
  );
  return { usd, tokens: unrecorded.tokens, requests: unrecorded.requests };
}
