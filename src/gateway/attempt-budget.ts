import type { Item } from "../item.ts";
import type { Verdict } from "./verdict.ts";

/** Sets aside what attempts may cost at most, so that a run stays within its budget. */
export interface AttemptBudget {
  /**
   * Resolves when there is room for one more attempt. Whoever waits holds no slot.
   *
   * @throws the signal's reason when it aborts first.
   */
  reserve(item: Item, signal: AbortSignal): Promise<Reservation>;
}

/** What one attempt may cost at most. Ends with one call of `settle` or `cancel`. */
export interface Reservation {
  /** The attempt is about to be sent. */
  sent(): void;
  /** What came of it; null when it was broken off. */
  settle(verdict: Verdict | null): void;
  /** It was not sent after all. */
  cancel(): void;
}
