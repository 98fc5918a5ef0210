import type { BudgetLimits } from "../../job/resolved-job.ts";

/** What calls cost, or may cost at most. */
export interface Cost {
  /** US dollars. */
  readonly usd: number;
  readonly tokens: number;
  readonly requests: number;
}

export type Unit = keyof Cost;

const UNITS: readonly Unit[] = ["usd", "tokens", "requests"];
export const NO_COST: Cost = { usd: 0, tokens: 0, requests: 0 };

export function plus(a: Cost, b: Cost): Cost {
  return { usd: a.usd + b.usd, tokens: a.tokens + b.tokens, requests: a.requests + b.requests };
}

function minus(a: Cost, b: Cost): Cost {
  return { usd: a.usd - b.usd, tokens: a.tokens - b.tokens, requests: a.requests - b.requests };
}

/**
 * Keeps spending within its limits: what a call may cost at most is set aside before it is sent,
 * and what it did not cost is given back when that is known. So no order of calls and answers
 * crosses a limit.
 */
export class Budget {
  readonly limits: BudgetLimits;
  #spent: Cost;
  #reserved: Cost = NO_COST;
  #open = 0;

  constructor(limits: BudgetLimits, spent: Cost) {
    this.limits = limits;
    this.#spent = spent;
  }

  get spent(): Cost {
    return this.#spent;
  }

  /** Reservations that are not settled yet. */
  get open(): number {
    return this.#open;
  }

  /** Sets aside what a call may cost at most; false where that does not fit now. */
  reserve(worst: Cost): boolean {
    if (this.shortOf(worst).length > 0) return false;
    this.#reserved = plus(this.#reserved, worst);
    this.#open += 1;
    return true;
  }

  /** The limits that leave no room for such a call beside what is spent and set aside. */
  shortOf(worst: Cost): Unit[] {
    const taken = plus(this.#spent, this.#reserved);
    return UNITS.filter((unit) => taken[unit] + worst[unit] > (this.limits[unit] ?? Infinity));
  }

  /** A call that is under way may cost more than was set aside for it, whether that fits or not. */
  raise(worst: Cost, larger: Cost): void {
    this.#reserved = plus(this.#reserved, minus(larger, worst));
  }

  /** The call that `worst` was set aside for cost `used`. */
  settle(worst: Cost, used: Cost): void {
    this.#open -= 1;
    // With nothing left to be settled, what rounding left of the dollars goes, too.
    this.#reserved = this.#open === 0 ? NO_COST : minus(this.#reserved, worst);
    this.#spent = plus(this.#spent, used);
  }

  /** Calls that nothing was set aside for cost so much. */
  charge(cost: Cost): void {
    this.#spent = plus(this.#spent, cost);
  }

  /** So much of what counts as spent turned out not to be. */
  refund(cost: Cost): void {
    this.#spent = minus(this.#spent, cost);
  }
}
