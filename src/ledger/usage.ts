import type { Effort } from "./effort.ts";
import type { LatencyHistogram } from "./latency.ts";

/** What the completed items of one model used. */
export interface ModelTotals {
  readonly items: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly cached_tokens: number;
  readonly reasoning_tokens: number;
  /** US dollars; null where no price is known. */
  readonly cost_usd: number | null;
}

/** The body of `usage.json`. Money is US dollars, times are seconds unless they say `ms`. */
export interface UsageReport {
  readonly usage: Omit<ModelTotals, "items" | "cost_usd">;
  readonly cost_usd: number | null;
  readonly models: Readonly<Record<string, ModelTotals>>;
  readonly items: {
    readonly total: number | null;
    readonly completed: number;
    readonly failed: number;
    readonly pending: number | null;
    /** Completed with `finish_reason: length`: the answer was cut at `max_tokens`. */
    readonly truncated: number;
    /** Completed, but the gateway named no usage: their tokens are missing above. */
    readonly without_usage: number;
  };
  /** Items whose answers were not asked for: nothing of this is in the figures above. */
  readonly reused: {
    /** Share the answer of another item that asks the same. */
    readonly shared: number;
    /** Have the answer of an earlier run to the same request. */
    readonly carried_over: number;
    /** What those answers had used when they were asked for. */
    readonly saved_tokens: number;
    /** US dollars; null where a price is unknown. */
    readonly saved_cost_usd: number | null;
  };
  /** Items that the job's run before this one answered and whose ids are no longer in the input; null where nobody looked. */
  readonly vanished: number | null;
  /**
   * Answers that were paid for and that no item has: filtered ones, and cut ones where that counts
   * as failed. Nothing of this is in the figures above.
   */
  readonly failed_usage: Omit<ModelTotals, "items"> & {
    readonly answers: number;
    /** `items` are answers here. */
    readonly models: Readonly<Record<string, ModelTotals>>;
  };
  readonly attempts: number;
  readonly retries: Readonly<Record<string, number>>;
  /** Calls that brought no usable answer but may have been charged; not in `cost_usd`. */
  readonly possibly_billed: number;
  /** What they cost if each was charged like an average item; null where that is unknown. */
  readonly possibly_billed_cost_usd: number | null;
  readonly latency_ms: {
    readonly p50: number | null;
    readonly p95: number | null;
    readonly p99: number | null;
  };
  readonly wall_seconds: number;
  readonly items_per_second: number | null;
}

/** What was added up over the ended items. */
export interface UsageTotals {
  readonly models: ReadonlyMap<string, ModelTotals>;
  /** What answers that were not asked for had used, by model. */
  readonly saved: ReadonlyMap<string, ModelTotals>;
  /** What answers had used that no item has, by model. */
  readonly failed: ReadonlyMap<string, ModelTotals>;
  readonly reused: { readonly shared: number; readonly carried_over: number };
  readonly effort: Effort;
  readonly latency: LatencyHistogram;
  readonly truncated: number;
  readonly withoutUsage: number;
}

/** How far the run is. */
export interface RunCounts {
  readonly total: number | null;
  readonly completed: number;
  readonly failed: number;
  readonly wallMs: number;
  /** As run.json tells it. */
  readonly vanished?: number | undefined;
}

/** Makes the report of what was added up. */
export function reportUsage(totals: UsageTotals, counts: RunCounts): UsageReport {
  const { effort, latency } = totals;
  const models = [...totals.models.values()];
  const failed = [...totals.failed.values()];
  const ended = counts.completed + counts.failed;
  const wallSeconds = counts.wallMs / 1000;
  return {
    usage: sumTokens(models),
    cost_usd: sumCosts(models),
    models: byModel(totals.models),
    items: {
      total: counts.total,
      completed: counts.completed,
      failed: counts.failed,
      pending: counts.total === null ? null : counts.total - ended,
      truncated: totals.truncated,
      without_usage: totals.withoutUsage,
    },
    reused: {
      ...totals.reused,
      saved_tokens: [...totals.saved.values()].reduce((sum, model) => sum + model.total_tokens, 0),
      saved_cost_usd: sumCosts(totals.saved.values()),
    },
    vanished: counts.vanished ?? null,
    failed_usage: {
      answers: failed.reduce((sum, { items }) => sum + items, 0),
      ...sumTokens(failed),
      cost_usd: sumCosts(failed),
      models: byModel(totals.failed),
    },
    attempts: effort.attempts,
    retries: Object.fromEntries(
      Object.entries(effort.retries).sort(([a], [b]) => a.localeCompare(b)),
    ),
    possibly_billed: effort.possiblyBilled,
    possibly_billed_cost_usd: averageCost(models, effort.possiblyBilled),
    latency_ms: {
      p50: latency.percentile(0.5),
      p95: latency.percentile(0.95),
      p99: latency.percentile(0.99),
    },
    wall_seconds: Math.round(wallSeconds * 1000) / 1000,
    items_per_second: wallSeconds > 0 ? Math.round((ended / wallSeconds) * 100) / 100 : null,
  };
}

function sumTokens(models: readonly ModelTotals[]): UsageReport["usage"] {
  const sum = (pick: (model: ModelTotals) => number): number =>
    models.reduce((total, model) => total + pick(model), 0);
  return {
    prompt_tokens: sum((model) => model.prompt_tokens),
    completion_tokens: sum((model) => model.completion_tokens),
    total_tokens: sum((model) => model.total_tokens),
    cached_tokens: sum((model) => model.cached_tokens),
    reasoning_tokens: sum((model) => model.reasoning_tokens),
  };
}

function byModel(models: ReadonlyMap<string, ModelTotals>): Record<string, ModelTotals> {
  return Object.fromEntries(
    [...models].map(([name, model]) => [name, { ...model, cost_usd: sumCosts([model]) }]),
  );
}

/** One missing price makes the sum unknown: a part of it would look like all of it. */
export function sumCosts(models: Iterable<ModelTotals>): number | null {
  let sum = 0;
  for (const { cost_usd: cost } of models) {
    if (cost === null) return null;
    sum += cost;
  }
  return roundUsd(sum);
}

/** What so many calls cost if each costs like an average completed item. */
function averageCost(models: readonly ModelTotals[], calls: number): number | null {
  if (calls === 0) return 0;
  const items = models.reduce((sum, model) => sum + model.items, 0);
  const cost = sumCosts(models);
  return cost === null || items === 0 ? null : roundUsd((cost / items) * calls);
}

function roundUsd(usd: number): number {
  return Math.round(usd * 1e9) / 1e9;
}
