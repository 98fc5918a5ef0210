import type { Outcome } from "../outcome.ts";
import { failedAnswersOfLine } from "./failed-answers.ts";
import type { LedgerLine } from "./line.ts";

/** What calls took, whether or not they brought an answer. */
export type Effort = Pick<Outcome, "attempts" | "possiblyBilled" | "retries">;

/** Adds efforts up. */
export class EffortSum {
  #attempts = 0;
  #possiblyBilled = 0;
  // A map: a cause is the gateway's own word, and may be `constructor`.
  readonly #retries = new Map<string, number>();

  add({ attempts, possiblyBilled, retries }: Effort): void {
    this.#attempts += attempts;
    this.#possiblyBilled += possiblyBilled;
    for (const [cause, count] of Object.entries(retries)) {
      this.#retries.set(cause, (this.#retries.get(cause) ?? 0) + count);
    }
  }

  get total(): Effort {
    return {
      attempts: this.#attempts,
      possiblyBilled: this.#possiblyBilled,
      retries: Object.fromEntries(this.#retries),
    };
  }
}

/**
 * The outcome of an item that failed before, as its line has it: the old error's line will go, and
 * with it the only note of calls that may have been charged.
 */
export function withEffortOf(before: LedgerLine, outcome: Outcome): Outcome {
  const sum = new EffortSum();
  sum.add(effortOfLine(before));
  sum.add(outcome);
  return { ...outcome, ...sum.total, failedAnswers: failedAnswersOfLine(before) };
}

export function effortOfLine({ nightshift: note }: LedgerLine): Effort {
  return {
    attempts: note.attempts,
    possiblyBilled: note.possibly_billed,
    retries: note.retries ?? {},
  };
}
