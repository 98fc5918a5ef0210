import { type AnswerSummary, summarizeAnswer } from "../answer-summary.ts";
import type { FailedAnswer, Outcome, Reused } from "../outcome.ts";
import type { CostOf, TokenUsage } from "../tokens.ts";
import { type Effort, effortOfLine, EffortSum } from "./effort.ts";
import { failedAnswersOf, failedAnswersOfLine } from "./failed-answers.ts";
import { LatencyHistogram } from "./latency.ts";
import { type LedgerLine, reusedOfNote } from "./line.ts";
import {
  type ModelTotals,
  type RunCounts,
  reportUsage,
  sumCosts,
  type UsageReport,
} from "./usage.ts";

/** What the summary and `usage.json` take from one ended item. */
export interface UsageEntry extends AnswerSummary, Effort {
  readonly kind: "completed" | "failed";
  readonly ms: number;
  /** How the item came by an answer that was not asked for it; null where it was. */
  readonly reused: Reused["kind"] | null;
  /** Those that were paid for and that it does not have. */
  readonly failedAnswers: readonly FailedAnswer[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const NO_TOKENS: TokenUsage = { prompt: 0, completion: 0, total: 0, cached: 0, reasoning: 0 };

/**
 * Adds up what the ledger holds. The same sum comes out of a live run and of its files: there a line
 * counts what the item's earlier failures took, here each of them was added when it came.
 */
export class UsageTally {
  readonly #costOf: CostOf;
  readonly #models = new Map<string, Mutable<ModelTotals>>();
  /** What answers that were not asked for had used when they were. */
  readonly #saved = new Map<string, Mutable<ModelTotals>>();
  /** What answers had used that no item has. */
  readonly #failed = new Map<string, Mutable<ModelTotals>>();
  readonly #latency = new LatencyHistogram();
  readonly #effort = new EffortSum();
  #truncated = 0;
  #withoutUsage = 0;
  #tokens = 0;
  readonly #reused: Record<Reused["kind"], number> = { shared: 0, carried_over: 0 };

  constructor(costOf: CostOf) {
    this.#costOf = costOf;
  }

  /** Tokens of the completed items so far. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Attempts that failed so far, whatever the cause. */
  get retries(): number {
    return Object.values(this.#effort.total.retries).reduce((sum, count) => sum + count, 0);
  }

  /** Completed items so far that were not asked for themselves, by where their answers are from. */
  get reused(): Readonly<Record<Reused["kind"], number>> {
    return this.#reused;
  }

  /** US dollars so far; null where a price is missing. */
  get cost(): number | null {
    return sumCosts(this.#priced(this.#models).values());
  }

  add(entry: UsageEntry): void {
    this.#effort.add(entry);
    for (const answer of entry.failedAnswers) {
      this.#addTokens(this.#failed, summarizeAnswer(answer));
    }
    if (entry.kind === "failed") return;
    if (entry.finishReason === "length") this.#truncated += 1;
    if (entry.reused !== null) {
      this.#reused[entry.reused] += 1;
      this.#addTokens(this.#saved, entry);
      return;
    }
    this.#latency.add(entry.ms);
    if (entry.usage === null) this.#withoutUsage += 1;
    this.#tokens += entry.usage?.total ?? 0;
    this.#addTokens(this.#models, entry);
  }

  report(counts: RunCounts): UsageReport {
    return reportUsage(
      {
        models: this.#priced(this.#models),
        saved: this.#priced(this.#saved),
        failed: this.#priced(this.#failed),
        reused: this.#reused,
        effort: this.#effort.total,
        latency: this.#latency,
        truncated: this.#truncated,
        withoutUsage: this.#withoutUsage,
      },
      counts,
    );
  }

  #addTokens(
    models: Map<string, Mutable<ModelTotals>>,
    { model, usage: told }: AnswerSummary,
  ): void {
    const totals = totalsOf(models, model);
    const usage = told ?? NO_TOKENS;
    totals.items += 1;
    totals.prompt_tokens += usage.prompt;
    totals.completion_tokens += usage.completion;
    totals.total_tokens += usage.total;
    totals.cached_tokens += usage.cached;
    totals.reasoning_tokens += usage.reasoning;
    const cost = this.#costOf(model, usage);
    totals.cost_usd = cost === null || totals.cost_usd === null ? null : totals.cost_usd + cost;
  }

  /** A price that was learned only after the first items holds for them, too. */
  #priced(models: ReadonlyMap<string, ModelTotals>): Map<string, ModelTotals> {
    return new Map(
      [...models].map(([model, totals]) => {
        const cost = totals.cost_usd ?? this.#costOf(model, tokensOf(totals), totals.items);
        return [model, { ...totals, cost_usd: cost }];
      }),
    );
  }
}

function totalsOf(models: Map<string, Mutable<ModelTotals>>, model: string): Mutable<ModelTotals> {
  let totals = models.get(model);
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
    models.set(model, totals);
  }
  return totals;
}

export function entryOfOutcome(outcome: Outcome): UsageEntry {
  const { kind, attempts, possiblyBilled, retries } = outcome;
  const answer = kind === "completed" ? outcome.summary : NO_ANSWER;
  const reused = outcome.reused?.kind ?? null;
  // As the line has it.
  const effort = { attempts, possiblyBilled, retries, ms: Math.round(outcome.ms) };
  return { kind, ...effort, reused, failedAnswers: failedAnswersOf(outcome), ...answer };
}

export function entryOfLine(kind: "completed" | "failed", line: LedgerLine): UsageEntry {
  const answer = kind === "completed" ? summarizeAnswer(line.response?.body) : NO_ANSWER;
  const { nightshift: note } = line;
  const effort = { ...effortOfLine(line), ms: note.ms };
  const failedAnswers = failedAnswersOfLine(line);
  return { kind, ...effort, reused: reusedOfNote(note), failedAnswers, ...answer };
}

const NO_ANSWER: AnswerSummary = { model: "unknown", finishReason: null, usage: null };

function tokensOf(totals: ModelTotals): TokenUsage {
  return {
    prompt: totals.prompt_tokens,
    completion: totals.completion_tokens,
    total: totals.total_tokens,
    cached: totals.cached_tokens,
    reasoning: totals.reasoning_tokens,
  };
}
