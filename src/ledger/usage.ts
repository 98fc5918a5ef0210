import { type AnswerSummary, summarizeAnswer } from "../answer-summary.ts";
import type { Outcome } from "../outcome.ts";
import type { CostOf, TokenUsage } from "../tokens.ts";
import { LatencyHistogram } from "./latency.ts";
import type { LedgerLine } from "./line.ts";

/** What the summary and `usage.json` take from one ended item. */
export interface UsageEntry extends AnswerSummary {
  readonly kind: "completed" | "failed";
  readonly attempts: number;
  readonly ms: number;
  readonly possiblyBilled: number;
  readonly retries: Readonly<Record<string, number>>;
}

interface ModelTotals {
  items: number;
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  cached_tokens: number;
  reasoning_tokens: number;
  /** US dollars; null where no price is known. */
  cost_usd: number | null;
}

/** What calls took, whether or not they brought an answer. */
interface Effort {
  attempts: number;
  possiblyBilled: number;
  readonly retries: Map<string, number>;
}

const NO_TOKENS: TokenUsage = { prompt: 0, completion: 0, total: 0, cached: 0, reasoning: 0 };

/** The body of `usage.json`. Money is US dollars, times are seconds unless they say `ms`. */
export interface UsageReport {
  readonly usage: Omit<ModelTotals, "items" | "cost_usd">;
  readonly cost_usd: number | null;
  readonly models: Readonly<Record<string, Readonly<ModelTotals>>>;
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

/** Adds up what the ledger holds. The same sum comes out of a live run and of its files. */
export class UsageTally {
  readonly #costOf: CostOf;
  readonly #models = new Map<string, ModelTotals>();
  readonly #latency = new LatencyHistogram();
  readonly #completed = newEffort();
  #failed = newEffort();
  #truncated = 0;
  #withoutUsage = 0;
  #tokens = 0;

  constructor(costOf: CostOf) {
    this.#costOf = costOf;
  }

  /** Tokens of the completed items so far. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Attempts that failed so far, whatever the cause. */
  get retries(): number {
    let sum = 0;
    for (const { retries } of [this.#completed, this.#failed]) {
      for (const count of retries.values()) sum += count;
    }
    return sum;
  }

  /** US dollars so far; null where a price is missing. */
  get cost(): number | null {
    return sumCosts(this.#models.values());
  }

  add(entry: UsageEntry): void {
    addEffort(entry.kind === "completed" ? this.#completed : this.#failed, entry);
    if (entry.kind === "failed") return;
    this.#latency.add(entry.ms);
    if (entry.finishReason === "length") this.#truncated += 1;
    const totals = this.#totalsOf(entry.model);
    totals.items += 1;
    if (entry.usage === null) this.#withoutUsage += 1;
    const usage = entry.usage ?? NO_TOKENS;
    this.#tokens += usage.total;
    totals.prompt_tokens += usage.prompt;
    totals.completion_tokens += usage.completion;
    totals.total_tokens += usage.total;
    totals.cached_tokens += usage.cached;
    totals.reasoning_tokens += usage.reasoning;
    const cost = this.#costOf(entry.model, usage);
    totals.cost_usd = cost === null || totals.cost_usd === null ? null : totals.cost_usd + cost;
  }

  /** Counts no failed item any more: those that still hold are about to be added again. */
  forgetFailures(): void {
    this.#failed = newEffort();
  }

  report(counts: {
    total: number | null;
    completed: number;
    failed: number;
    wallMs: number;
  }): UsageReport {
    const models = [...this.#models.values()];
    const sum = (pick: (totals: ModelTotals) => number): number =>
      models.reduce((total, model) => total + pick(model), 0);
    const ended = counts.completed + counts.failed;
    const wallSeconds = counts.wallMs / 1000;
    const effort = newEffort();
    for (const { retries, ...rest } of [this.#completed, this.#failed]) {
      addEffort(effort, { ...rest, retries: Object.fromEntries(retries) });
    }
    return {
      usage: {
        prompt_tokens: sum((model) => model.prompt_tokens),
        completion_tokens: sum((model) => model.completion_tokens),
        total_tokens: sum((model) => model.total_tokens),
        cached_tokens: sum((model) => model.cached_tokens),
        reasoning_tokens: sum((model) => model.reasoning_tokens),
      },
      cost_usd: sumCosts(models),
      models: Object.fromEntries(
        [...this.#models].map(([model, totals]) => [
          model,
          { ...totals, cost_usd: sumCosts([totals]) },
        ]),
      ),
      items: {
        total: counts.total,
        completed: counts.completed,
        failed: counts.failed,
        pending: counts.total === null ? null : counts.total - ended,
        truncated: this.#truncated,
        without_usage: this.#withoutUsage,
      },
      attempts: effort.attempts,
      retries: Object.fromEntries([...effort.retries].sort(([a], [b]) => a.localeCompare(b))),
      possibly_billed: effort.possiblyBilled,
      possibly_billed_cost_usd: averageCost(models, effort.possiblyBilled),
      latency_ms: {
        p50: this.#latency.percentile(0.5),
        p95: this.#latency.percentile(0.95),
        p99: this.#latency.percentile(0.99),
      },
      wall_seconds: Math.round(wallSeconds * 1000) / 1000,
      items_per_second: wallSeconds > 0 ? Math.round((ended / wallSeconds) * 100) / 100 : null,
    };
  }

  #totalsOf(model: string): ModelTotals {
    let totals = this.#models.get(model);
    if (totals === undefined) {
      totals = {
        items: 0,
        prompt_tokens: 0,
        completion_tokens: 0,
        total_tokens: 0,
        cached_tokens: 0,
        reasoning_tokens: 0,
        cost_usd: 0,
      };
      this.#models.set(model, totals);
    }
    return totals;
  }
}

export function entryOfOutcome(outcome: Outcome): UsageEntry {
  return {
    kind: outcome.kind,
    attempts: outcome.attempts,
    // As the line has it.
    ms: Math.round(outcome.ms),
    possiblyBilled: outcome.possiblyBilled,
    retries: outcome.retries,
    ...(outcome.kind === "completed" ? outcome.summary : NO_ANSWER),
  };
}

export function entryOfLine(kind: "completed" | "failed", line: LedgerLine): UsageEntry {
  return {
    kind,
    attempts: line.nightshift.attempts,
    ms: line.nightshift.ms,
    possiblyBilled: line.nightshift.possibly_billed,
    retries: line.nightshift.retries ?? {},
    ...(kind === "completed" ? summarizeAnswer(line.response?.body) : NO_ANSWER),
  };
}

function newEffort(): Effort {
  return { attempts: 0, possiblyBilled: 0, retries: new Map() };
}

function addEffort(
  effort: Effort,
  {
    attempts,
    possiblyBilled,
    retries,
  }: Pick<UsageEntry, "attempts" | "possiblyBilled" | "retries">,
): void {
  effort.attempts += attempts;
  effort.possiblyBilled += possiblyBilled;
  for (const [cause, count] of Object.entries(retries)) {
    effort.retries.set(cause, (effort.retries.get(cause) ?? 0) + count);
  }
}

const NO_ANSWER: AnswerSummary = { model: "unknown", finishReason: null, usage: null };

/** What so many calls cost if each costs like an average completed item. */
function averageCost(models: readonly ModelTotals[], calls: number): number | null {
  if (calls === 0) return 0;
  const items = models.reduce((sum, model) => sum + model.items, 0);
  const cost = sumCosts(models);
  return cost === null || items === 0 ? null : roundUsd((cost / items) * calls);
}

/** One missing price makes the sum unknown: a part of it would look like all of it. */
function sumCosts(models: Iterable<ModelTotals>): number | null {
  let sum = 0;
  for (const { cost_usd: cost } of models) {
    if (cost === null) return null;
    sum += cost;
  }
  return roundUsd(sum);
}

function roundUsd(usd: number): number {
  return Math.round(usd * 1e9) / 1e9;
}
