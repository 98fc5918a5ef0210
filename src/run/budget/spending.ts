import type { AttemptBudget, Reservation } from "../../gateway/attempt-budget.ts";
import type { Verdict } from "../../gateway/verdict.ts";
import type { Item } from "../../item.ts";
import type { BudgetLog } from "../../ledger/budget-log.ts";
import { failedAnswersOf } from "../../ledger/failed-answers.ts";
import type { CallTokens } from "../../ledger/unrecorded.ts";
import type { Outcome } from "../../outcome.ts";
import type { Clock } from "../../system/clock.ts";
import type { TokenUsage } from "../../tokens.ts";
import { type Budget, type Cost, NO_COST, type Unit } from "./budget.ts";
import { chargeOf } from "./charge.ts";
import { plusSums, sumsOf } from "./failed-sums.ts";
import { type AnyCall, inDoubt } from "./in-doubt.ts";
import { worstCase } from "./worst-case.ts";

export interface SpendingParts {
  readonly budget: Budget;
  readonly log: BudgetLog;
  /** US dollars. */
  readonly usdOf: (model: string, usage: TokenUsage, calls?: number) => number;
  readonly clock: Clock;
  readonly anyCall: AnyCall;
  /** Told when no item in hand fits any more: what the smallest lacks, and what it may cost. */
  readonly onSpent: (shortOf: readonly Unit[], worst: Cost) => void;
}

/** What a call may cost at most. */
interface Claim {
  readonly item: Item;
  /** What the request itself says. */
  readonly bound: CallTokens;
  /** That and what the gateway was seen to add. */
  worst: Worst;
}

interface Worst {
  readonly tokens: CallTokens;
  readonly cost: Cost;
}

interface Waiting {
  readonly claim: Claim;
  readonly go: () => void;
}

const ONE_REQUEST: Cost = { ...NO_COST, requests: 1 };
/** Smaller items may be on their way from the queue: so long nothing must have fitted. */
const PATIENCE_MS = 1_000;

/** Lets attempts go as far as the budget reaches, and keeps count of what they cost. */
export class Spending implements AttemptBudget {
  readonly #parts: SpendingParts;
  /** What is set aside. */
  readonly #claims = new Set<Claim>();
  readonly #waiting = new Set<Waiting>();
  #giveUp: (() => void) | null = null;
  /**
   * By how much an answer's usage was above its bound: what a gateway adds out of sight, such as a
   * system prompt of its own, is known from the first answer on.
   */
  #surplus: CallTokens = [0, 0];

  constructor(parts: SpendingParts) {
    this.#parts = parts;
  }

  async reserve(item: Item, signal: AbortSignal): Promise<Reservation> {
    signal.throwIfAborted();
    const { prompt, completion } = worstCase(item.body);
    const bound: CallTokens = [prompt, completion ?? 0];
    const claim = { item, bound, worst: this.#worstOf(item, bound) };
    if (this.#setAside(claim)) this.#watch();
    else await this.#turn(claim, signal);
    return {
      sent: () => this.#parts.log.sent(item.index, item.model, claim.worst.tokens),
      settle: (verdict) => this.#settle(claim, verdict),
      cancel: () => this.#close(claim, NO_COST),
    };
  }

  /**
   * A worker elsewhere has made calls that nothing was set aside for: it took the item when the run
   * had no budget.
   *
   * @throws RunStopped when that cannot be written down.
   */
  received(outcome: Outcome): void {
    const { budget, log, usdOf, anyCall } = this.#parts;
    const { attempts, possiblyBilled } = outcome;
    const answer = outcome.kind === "completed" ? outcome.summary : null;
    const isUnmeasured = answer !== null && answer.usage === null;
    const spent = plusSums(
      inDoubt(possiblyBilled + (isUnmeasured ? 1 : 0), possiblyBilled, anyCall),
      sumsOf(failedAnswersOf(outcome)),
    );
    log.madeElsewhere(attempts, spent);
    budget.charge({ ...NO_COST, requests: attempts });
    for (const [model, [prompt, completion, calls]] of Object.entries(spent)) {
      const usage = usageOf([prompt, completion]);
      budget.charge({ usd: usdOf(model, usage, calls), tokens: usage.total, requests: 0 });
    }
    if (answer === null) return;
    const used = answer.usage ?? usageOf([0, 0]);
    budget.charge({ usd: usdOf(answer.model, used), tokens: used.total, requests: 0 });
  }

  /** Nothing is in flight any more. */
  close(): void {
    this.#giveUp?.();
    this.#parts.log.close();
  }

  /** Resolves when the cost is reserved: the first that fits goes first, so that no room is left. */
  async #turn(claim: Claim, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        claim,
        go: () => {
          signal.removeEventListener("abort", stop);
          this.#waiting.delete(waiting);
          resolve();
        },
      };
      const stop = (): void => {
        this.#waiting.delete(waiting);
        this.#watch();
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.add(waiting);
      this.#watch();
    });
  }

  #setAside(claim: Claim): boolean {
    const fits = this.#parts.budget.reserve(claim.worst.cost);
    if (fits) this.#claims.add(claim);
    return fits;
  }

  #settle(claim: Claim, verdict: Verdict | null): void {
    const { log } = this.#parts;
    const { item, worst } = claim;
    const { index, model } = item;
    const charge = chargeOf(verdict);
    switch (charge.kind) {
      case "recorded": {
        const tokens = tokensOf(charge.usage);
        const answered = verdict?.class === "completed" ? verdict.summary.model : model;
        const released = log.settled({ index, recorded: tokens });
        if (released > 0) this.#refund(model, released);
        this.#learn(claim, tokens);
        this.#close(claim, this.#costOf(answered, charge.usage));
        return;
      }
      case "unmeasured":
        log.settled({ index, model, kept: worst.tokens, answered: true });
        this.#close(claim, worst.cost);
        return;
      case "unrecorded": {
        const kept = charge.usage === null ? worst.tokens : tokensOf(charge.usage);
        log.settled({ index, model, kept });
        this.#close(claim, charge.usage === null ? worst.cost : this.#costOf(model, charge.usage));
        return;
      }
      case "free":
        log.settled({ index, model, kept: [0, 0] });
        this.#close(claim, ONE_REQUEST);
        return;
      case "throttled":
        log.settled({ index, throttled: true });
        this.#close(claim, NO_COST);
    }
  }

  #close(claim: Claim, used: Cost): void {
    this.#claims.delete(claim);
    this.#parts.budget.settle(claim.worst.cost, used);
    for (const { claim, go } of this.#waiting) if (this.#setAside(claim)) go();
    this.#watch();
  }

  /** Earlier calls of an answered item asked the same: what their prompts used is known now. */
  #refund(model: string, promptTokens: number): void {
    const usd = this.#parts.usdOf(model, usageOf([promptTokens, 0]), 0);
    this.#parts.budget.refund({ usd, tokens: promptTokens, requests: 0 });
  }

  #worstOf({ model }: Item, bound: CallTokens): Worst {
    const tokens: CallTokens = [bound[0] + this.#surplus[0], bound[1] + this.#surplus[1]];
    return { tokens, cost: this.#costOf(model, usageOf(tokens)) };
  }

  #costOf(model: string, usage: TokenUsage): Cost {
    const [prompt, completion] = tokensOf(usage);
    return { usd: this.#parts.usdOf(model, usage), tokens: prompt + completion, requests: 1 };
  }

  /** What is in flight and what waits may turn out as much larger as this answer did. */
  #learn({ bound }: Claim, used: CallTokens): void {
    const [prompt, completion] = this.#surplus;
    this.#surplus = [
      Math.max(prompt, used[0] - bound[0]),
      Math.max(completion, used[1] - bound[1]),
    ];
    if (this.#surplus[0] === prompt && this.#surplus[1] === completion) return;
    for (const claim of this.#claims) {
      const before = claim.worst.cost;
      claim.worst = this.#worstOf(claim.item, claim.bound);
      this.#parts.budget.raise(before, claim.worst.cost);
    }
    for (const { claim } of this.#waiting) claim.worst = this.#worstOf(claim.item, claim.bound);
  }

  /** While nothing is under way that could give something back, nobody who waits will ever go. */
  #watch(): void {
    const { budget, clock, onSpent } = this.#parts;
    const isStuck = budget.open === 0 && this.#waiting.size > 0;
    if (isStuck === (this.#giveUp !== null)) return;
    this.#giveUp?.();
    this.#giveUp = null;
    if (!isStuck) return;
    this.#giveUp = clock.after(PATIENCE_MS, () => {
      const [smallest] = [...this.#waiting].map(({ claim }) => claim.worst.cost).sort(bySize);
      if (smallest !== undefined) onSpent(budget.shortOf(smallest), smallest);
    });
  }
}

function bySize(a: Cost, b: Cost): number {
  return a.tokens - b.tokens;
}

/** Some gateways count the thinking in the total alone. */
function tokensOf({ prompt, completion, total }: TokenUsage): CallTokens {
  return [prompt, Math.max(completion, total - prompt)];
}

function usageOf([prompt, completion]: CallTokens): TokenUsage {
  return { prompt, completion, total: prompt + completion, cached: 0, reasoning: 0 };
}
