import type { AttemptBudget, Reservation } from "../../gateway/attempt-budget.ts";
import type { Verdict } from "../../gateway/verdict.ts";
import type { Item } from "../../item.ts";
import type { BudgetLog } from "../../ledger/budget-log.ts";
import type { CallTokens } from "../../ledger/unrecorded.ts";
import type { Clock } from "../../system/clock.ts";
import type { TokenUsage } from "../../tokens.ts";
import { type Budget, type Cost, NO_COST, type Unit } from "./budget.ts";
import { chargeOf } from "./charge.ts";
import { worstCase } from "./worst-case.ts";

export interface SpendingParts {
  readonly budget: Budget;
  readonly log: BudgetLog;
  /** US dollars. */
  readonly usdOf: (model: string, usage: TokenUsage, calls?: number) => number;
  readonly clock: Clock;
  /** Told when no item in hand fits any more: what the smallest lacks, and what it may cost. */
  readonly onSpent: (shortOf: readonly Unit[], worst: Cost) => void;
}

interface Waiting {
  readonly worst: Cost;
  readonly go: () => void;
}

interface Worst {
  /** What the request itself says. */
  readonly bound: CallTokens;
  /** That and what the gateway was seen to add. */
  readonly tokens: CallTokens;
  readonly cost: Cost;
}

const ONE_REQUEST: Cost = { ...NO_COST, requests: 1 };
/** Smaller items may be on their way from the queue: so long nothing must have fitted. */
const PATIENCE_MS = 1_000;

/** Lets attempts go as far as the budget reaches, and keeps count of what they cost. */
export class Spending implements AttemptBudget {
  readonly #parts: SpendingParts;
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
    const worst = this.#worstOf(item);
    if (this.#parts.budget.reserve(worst.cost)) this.#watch();
    else await this.#turn(worst.cost, signal);
    return {
      sent: () => this.#parts.log.sent(item.index, item.model, worst.tokens),
      settle: (verdict) => this.#settle(item, worst, verdict),
      cancel: () => this.#close(worst, NO_COST),
    };
  }

  /** Nothing is in flight any more. */
  close(): void {
    this.#giveUp?.();
    this.#parts.log.close();
  }

  /** Resolves when the cost is reserved: the first that fits goes first, so that no room is left. */
  async #turn(worst: Cost, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        worst,
        go: () => {
          signal.removeEventListener("abort", stop);
          this.#waiting.delete(waiting);
          resolve();
        },
      };
      const stop = (): void => {
        this.#waiting.delete(waiting);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.add(waiting);
      this.#watch();
    });
  }

  #settle(item: Item, worst: Worst, verdict: Verdict | null): void {
    const { log } = this.#parts;
    const { index, model } = item;
    const charge = chargeOf(verdict);
    switch (charge.kind) {
      case "recorded": {
        const tokens = tokensOf(charge.usage);
        const answered = verdict?.class === "completed" ? verdict.summary.model : model;
        const released = log.settled({ index, recorded: tokens });
        if (released > 0) this.#refund(model, released);
        this.#learn(worst, tokens);
        this.#close(worst, this.#costOf(answered, charge.usage));
        return;
      }
      case "unrecorded": {
        const kept = charge.usage === null ? worst.tokens : tokensOf(charge.usage);
        log.settled({ index, model, kept });
        this.#close(worst, charge.usage === null ? worst.cost : this.#costOf(model, charge.usage));
        return;
      }
      case "free":
        log.settled({ index, model, kept: [0, 0] });
        this.#close(worst, ONE_REQUEST);
        return;
      case "throttled":
        log.settled({ index, throttled: true });
        this.#close(worst, NO_COST);
    }
  }

  #close(worst: Worst, used: Cost): void {
    const { budget } = this.#parts;
    budget.settle(worst.cost, used);
    for (const { worst, go } of this.#waiting) if (budget.reserve(worst)) go();
    this.#watch();
  }

  /** Earlier calls of an answered item asked the same: what their prompts used is known now. */
  #refund(model: string, promptTokens: number): void {
    const usd = this.#parts.usdOf(model, usageOf([promptTokens, 0]), 0);
    this.#parts.budget.refund({ usd, tokens: promptTokens, requests: 0 });
  }

  #worstOf(item: Item): Worst {
    const { prompt, completion } = worstCase(item.body);
    const bound: CallTokens = [prompt, completion ?? 0];
    const tokens: CallTokens = [bound[0] + this.#surplus[0], bound[1] + this.#surplus[1]];
    return { bound, tokens, cost: this.#costOf(item.model, usageOf(tokens)) };
  }

  #costOf(model: string, usage: TokenUsage): Cost {
    const [prompt, completion] = tokensOf(usage);
    return { usd: this.#parts.usdOf(model, usage), tokens: prompt + completion, requests: 1 };
  }

  #learn({ bound }: Worst, used: CallTokens): void {
    this.#surplus = [
      Math.max(this.#surplus[0], used[0] - bound[0]),
      Math.max(this.#surplus[1], used[1] - bound[1]),
    ];
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
      const [smallest] = [...this.#waiting].map(({ worst }) => worst).sort(bySize);
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
