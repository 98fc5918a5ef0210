import { UsageError } from "../../errors.ts";
import type { Item } from "../../item.ts";
import type { PriceList } from "../../job/pricing.ts";
import type { ResolvedJob } from "../../job/resolved-job.ts";
import { type WorstCase, worstCase } from "./worst-case.ts";

// What a budget must know of a job before anything is called.

export function hasBudget({ budget }: ResolvedJob): boolean {
  return budget.usd !== null || budget.tokens !== null || budget.requests !== null;
}

/**
 * The most that an item may use.
 *
 * @param where file and line, for the message.
 * @throws UsageError where nothing bounds its answer and the budget needs a bound.
 */
export function boundedCase(item: Item, job: ResolvedJob, where: string): WorstCase {
  const worst = worstCase(item.body);
  const { usd, tokens } = job.budget;
  if (worst.completion !== null || (usd === null && tokens === null)) return worst;
  throw new UsageError(
    `${where}: the request sets no max_tokens, so nobody can say what its answer costs at most, ` +
      `and a budget of ${usd === null ? "tokens" : "dollars"} could not be kept. ` +
      "Add `max_tokens` to `params` of the job (or --param max_tokens=500), or leave the budget out.",
  );
}

/**
 * @param models that the run asks.
 * @throws UsageError where the budget is one of money and a price is unknown.
 */
export function checkPrices(
  { budget, where }: ResolvedJob,
  models: readonly string[],
  prices: PriceList,
): void {
  if (budget.usd === null) return;
  const unpriced = models.filter((model) => prices.source(model) === null);
  if (unpriced.length === 0) return;
  const names = unpriced.map((model) => `\`${model}\``).join(", ");
  throw new UsageError(
    `${where}: there is a budget in dollars, but nobody knows what ${names} costs. ` +
      "Add `pricing: { input: …, output: … }` (US dollars per million tokens) to the job, " +
      "or set a budget of tokens.",
  );
}
