import type { Ending } from "../outcome.ts";
import type { CostOf, TokenUsage } from "../tokens.ts";

/** What a run tells when it is asked. */
export interface RunSources {
  /** Calls that were sent and are not recorded yet. */
  readonly inFlight: () => number;
  /** Milliseconds so far in which throttling held all calls back. */
  readonly throttledMs: () => number;
  readonly costOf: CostOf;
}

/** Items of a run in the queue, as this process knows it. */
export interface QueueDepth {
  /** Put in, and in nobody's hands that are known of; null where only the owner knows. */
  readonly waiting: number | null;
  /** Being answered here: in flight, or waiting to be asked again. */
  readonly inHand: number;
}

/** What one model did for a run so far, in this process. */
export interface ModelReading {
  readonly completed: number;
  readonly failed: number;
  /** Calls by what became of them. */
  readonly attempts: ReadonlyMap<string, number>;
  readonly tokens: Omit<TokenUsage, "total">;
  /** US dollars; null as soon as one price is not known: a part would look like all of it. */
  readonly costUsd: number | null;
}

/** Where a run stands. */
export interface RunReading {
  readonly runId: string;
  readonly models: ReadonlyMap<string, ModelReading>;
  readonly inFlight: number;
  readonly throttledMs: number;
  readonly queue: QueueDepth | null;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface Tally extends Mutable<Omit<ModelReading, "attempts" | "tokens">> {
  readonly attempts: Map<string, number>;
  readonly tokens: Mutable<ModelReading["tokens"]>;
}

const NO_USAGE: TokenUsage = { prompt: 0, completion: 0, total: 0, cached: 0, reasoning: 0 };
/** An input may name a model in every line; whoever collects metrics pays for each name. */
const MOST_MODELS = 50;
const OTHER_MODELS = "other";

/** Counts what happens in one run. Nothing is made of it until somebody asks. */
export class RunMeter {
  readonly #runId: string;
  #sources: RunSources;
  /** What earlier sources had counted when others took their place. */
  #throttledBeforeMs = 0;
  readonly #onAnswer: (model: string, seconds: number) => void;
  readonly #models = new Map<string, Tally>();
  #depth: (() => QueueDepth) | null = null;

  /** @param onAnswer told how long each completed item's last call took. */
  constructor(
    runId: string,
    sources: RunSources,
    onAnswer: (model: string, seconds: number) => void,
  ) {
    this.#runId = runId;
    this.#sources = sources;
    this.#onAnswer = onAnswer;
  }

  get reading(): RunReading {
    return {
      runId: this.#runId,
      models: this.#models,
      inFlight: this.#sources.inFlight(),
      throttledMs: this.#throttledBeforeMs + this.#sources.throttledMs(),
      queue: this.#depth?.() ?? null,
    };
  }

  /** Goes on with other sources. */
  follow(sources: RunSources): void {
    this.#throttledBeforeMs += this.#sources.throttledMs();
    this.#sources = sources;
  }

  watchQueue(depth: () => QueueDepth): void {
    this.#depth = depth;
  }

  /** A call was made for an item that asks this model. */
  attempt(model: string, verdictClass: string): void {
    const { attempts } = this.#tallyOf(model);
    attempts.set(verdictClass, (attempts.get(verdictClass) ?? 0) + 1);
  }

  /** An item that asked this model has ended, and that is recorded. */
  ended(model: string, outcome: Ending): void {
    const tally = this.#tallyOf(model);
    if (outcome.kind === "failed") {
      tally.failed += 1;
      return;
    }
    const { usage, model: answered } = outcome.summary;
    const { prompt, completion, cached, reasoning } = usage ?? NO_USAGE;
    tally.completed += 1;
    // Another item's answer was bought, and counted, once.
    if (outcome.reused !== undefined) return;
    tally.tokens.prompt += prompt;
    tally.tokens.completion += completion;
    tally.tokens.cached += cached;
    tally.tokens.reasoning += reasoning;
    const cost = this.#sources.costOf(answered, usage ?? NO_USAGE);
    tally.costUsd = cost === null || tally.costUsd === null ? null : tally.costUsd + cost;
    this.#onAnswer(this.#labelOf(model), outcome.ms / 1000);
  }

  #tallyOf(model: string): Tally {
    const label = this.#labelOf(model);
    let tally = this.#models.get(label);
    if (tally === undefined) {
      tally = {
        completed: 0,
        failed: 0,
        attempts: new Map(),
        tokens: { prompt: 0, completion: 0, cached: 0, reasoning: 0 },
        costUsd: 0,
      };
      this.#models.set(label, tally);
    }
    return tally;
  }

  #labelOf(model: string): string {
    return this.#models.has(model) || this.#models.size < MOST_MODELS ? model : OTHER_MODELS;
  }
}
