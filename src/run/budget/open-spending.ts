import type { RunStopped } from "../../errors.ts";
import { BudgetLog, readUnrecorded } from "../../ledger/budget-log.ts";
import type { CallLine } from "../../ledger/unrecorded.ts";
import type { UsageReport } from "../../ledger/usage.ts";
import { amount, spentText } from "../../terminal/budget-text.ts";
import type { WorkParts } from "../work-parts.ts";
import { BudgetSpent } from "./budget-spent.ts";
import { Budget, type Cost, type Unit } from "./budget.ts";
import { hasBudget } from "./check.ts";
import { failedSums, plusSums } from "./failed-sums.ts";
import { type AnyCall, inDoubt } from "./in-doubt.ts";
import { pricesFor, spentSoFar, type UsdOfUsage } from "./report.ts";
import { Spending } from "./spending.ts";

/**
 * Takes up the books of a run's spending where its last sitting left them.
 *
 * @returns null for a run that has no budget and never had one: a budget that comes back later must
 *   not miss what was spent without it.
 */
export function openSpending(
  { scene, manifest, ledger }: WorkParts,
  stop: (reason: RunStopped) => void,
): Spending | null {
  const { order, scan, prices, directory } = scene;
  const { job, clock } = order;
  const { run_id: run } = manifest;
  if (!hasBudget(job) && readUnrecorded(directory, run, ledger.items) === null) return null;
  const usdOf = pricesFor(prices.cost, scan.models);
  const usage = ledger.usage.report({ total: null, completed: 0, failed: 0, wallMs: 0 });
  const { prompt = 0, completion = 0 } = scan.largest ?? {};
  const anyCall: AnyCall = {
    model: dearest(scan.models, usdOf),
    tokens: [prompt, completion ?? 0],
  };
  const log = BudgetLog.open(directory, run, ledger.items, () => firstLine(run, usage, anyCall));
  const budget = new Budget(job.budget, spentSoFar(usage, log.calls, usdOf));
  return new Spending({
    budget,
    log,
    usdOf,
    clock,
    anyCall,
    onSpent: (shortOf, worst) => stop(budgetStop(budget, shortOf, worst)),
  });
}

/**
 * What a run cost before it had a budget. Of its calls without an answer only the number is known:
 * each counts like the largest item. The price of a call that was answered stands in results.jsonl.
 */
function firstLine(run: string, usage: UsageReport, anyCall: AnyCall): CallLine {
  const { possibly_billed: unanswered, items, attempts } = usage;
  return {
    run,
    requests: attempts,
    spent: plusSums(
      inDoubt(unanswered + items.without_usage, unanswered, anyCall),
      failedSums(usage),
    ),
  };
}

function dearest(models: readonly string[], usdOf: UsdOfUsage): string {
  const million = { prompt: 1e6, completion: 1e6, total: 2e6, cached: 0, reasoning: 0 };
  return models.toSorted((a, b) => usdOf(b, million) - usdOf(a, million))[0] ?? "unknown";
}

const FLAGS: Readonly<Record<Unit, string>> = {
  usd: "--budget-usd",
  tokens: "--budget-tokens",
  requests: "--budget-requests",
};

/** @param worst what the smallest item in hand may cost. */
function budgetStop(budget: Budget, shortOf: readonly Unit[], worst: Cost): BudgetSpent {
  const { limits, spent } = budget;
  const parts = shortOf.map((unit) => {
    const limit = limits[unit] ?? 0;
    return {
      text: `${spentText(unit, { spent: spent[unit], limit })} (the next item may cost ${amount(unit, worst[unit])})`,
      flag: `${FLAGS[unit]} ${larger(unit, limit, spent[unit] + worst[unit])}`,
    };
  });
  return new BudgetSpent(
    parts.map(({ text }) => text),
    parts.map(({ flag }) => flag),
  );
}

/** Twice the limit, or more where that would not let the next item go. */
function larger(unit: Unit, limit: number, needed: number): number {
  const more = Math.max(2 * limit, 1.1 * needed);
  return unit === "usd" ? Number(more.toPrecision(3)) : Math.ceil(more);
}
