import type { Item } from "../item.ts";
import type { Completed, Failed } from "../outcome.ts";
import type { Failure, Verdict } from "./verdict.ts";

/** An item that is throttled this often while others complete will not be let through. */
const MOST_THROTTLES = 10;
/** Calls that may have been billed without an answer are made again at most this often. */
const MOST_BILLED_AGAIN = 2;
/** So many answers that blame the account stop the run; no item may fail of them before. */
const FEWEST_REFUSALS = 5;

/** An attempt that brought no answer. */
export class AttemptFailed extends Error {
  readonly verdict: Exclude<Verdict, { class: "completed" }>;
  readonly ms: number;

  constructor(verdict: Exclude<Verdict, { class: "completed" }>, ms: number) {
    super(verdict.failure.message);
    this.verdict = verdict;
    this.ms = ms;
  }
}

/** What has been tried for one item. */
export class AttemptHistory {
  readonly #attempts: number;
  readonly #answersSeen: () => number;
  #calls = 0;
  #counted = 0;
  #throttledCalls = 0;
  #throttles = 0;
  #possiblyBilled = 0;
  #billedAgain = 0;
  #answersBefore = 0;
  // A map: a code is the gateway's own word, and may be `constructor`.
  readonly #retries = new Map<string, number>();

  /**
   * @param attempts for the item at most.
   * @param answersSeen how often the gateway has shown so far that it works.
   */
  constructor(attempts: number, answersSeen: () => number) {
    this.#attempts = attempts;
    this.#answersSeen = answersSeen;
    this.#answersBefore = answersSeen();
  }

  /** Pauses that were made so far: what the backoff grows by. */
  get pauses(): number {
    return this.#calls - this.#throttledCalls - 1;
  }

  begin(): void {
    this.#calls += 1;
  }

  /** Whether it takes an answer to something else to tell if the item or the gateway is to blame. */
  isInDoubt(verdict: Verdict): boolean {
    const needsAnswer =
      verdict.class === "pause-run" || (verdict.class === "retry" && verdict.outage);
    return needsAnswer && this.#answersSeen() === this.#answersBefore;
  }

  note(verdict: Verdict): void {
    // What an outage swallowed does not count: only where the gateway has answered something else
    // since this item's last attempt is the item itself to blame.
    const answers = this.#answersSeen();
    const mayCount = answers > this.#answersBefore;
    this.#answersBefore = answers;
    if (verdict.class === "completed" || verdict.class === "fail-item") return;
    const { code } = verdict.failure;
    this.#retries.set(code, (this.#retries.get(code) ?? 0) + 1);
    switch (verdict.class) {
      case "retry":
        if (verdict.possiblyBilled) this.#possiblyBilled += 1;
        if (!verdict.outage || mayCount) {
          this.#counted += 1;
          if (verdict.possiblyBilled) this.#billedAgain += 1;
        }
        break;
      case "throttled":
        this.#throttledCalls += 1;
        if (mayCount) this.#throttles += 1;
        break;
      case "pause-run":
        if (mayCount) this.#counted += 1;
        break;
    }
  }

  mayGoOn(verdict: Exclude<Verdict, { class: "completed" }>): boolean {
    switch (verdict.class) {
      case "fail-item":
        return false;
      case "throttled":
        return this.#throttles < MOST_THROTTLES;
      case "pause-run":
        return this.#counted < Math.max(this.#attempts, FEWEST_REFUSALS);
      case "retry":
        return this.#counted < this.#attempts && this.#billedAgain <= MOST_BILLED_AGAIN;
    }
  }

  completed(
    item: Item,
    { summary, response }: Extract<Verdict, { class: "completed" }>,
    ms: number,
  ): Completed {
    return { kind: "completed", ...this.#ended(item, ms), summary, response };
  }

  failed(item: Item, { verdict, ms }: AttemptFailed): Failed {
    const { failure } = verdict;
    return {
      kind: "failed",
      class: FAILED_CLASS[verdict.class],
      ...this.#ended(item, ms),
      response: failure.response,
      error: describeFailure(failure, verdict.class),
    };
  }

  #ended(item: Item, ms: number): Omit<Completed, "kind" | "summary" | "response"> {
    return {
      index: item.index,
      customId: item.customId,
      attempts: Math.max(1, this.#calls - this.#throttledCalls),
      ms,
      possiblyBilled: this.#possiblyBilled,
      retries: Object.fromEntries(this.#retries),
    };
  }
}

const FAILED_CLASS = {
  "fail-item": "item",
  "pause-run": "item",
  retry: "retry",
  throttled: "throttled",
} as const;

function describeFailure(
  failure: Failure,
  verdictClass: keyof typeof FAILED_CLASS,
): Failed["error"] {
  return verdictClass === "throttled"
    ? { code: "rate_limited", message: failure.message }
    : { code: failure.code, message: failure.message };
}
