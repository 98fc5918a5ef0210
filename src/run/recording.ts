import type { Ledger } from "../ledger/ledger.ts";
import type { Wanted } from "../ledger/select.ts";
import type { Outcome } from "../outcome.ts";
import type { Window } from "../queue/window.ts";

export interface RecordingParts {
  readonly ledger: Pick<Ledger, "record" | "items">;
  readonly wanted: Pick<Wanted, "has">;
  /**
   * Told before the item's place is free; from then on it is wanted no longer. The model is the one
   * that the item asks; undefined for an item that is not in the window.
   */
  readonly onOutcome: (outcome: Outcome, model: string | undefined) => void;
}

/** Writes outcomes down, whoever brings them: the first of an item counts, others are dropped. */
export class Recording {
  readonly #parts: RecordingParts;
  readonly #window: Window;
  readonly #writing = new Map<number, Promise<void>>();

  constructor(parts: RecordingParts, window: Window) {
    this.#parts = parts;
    this.#window = window;
  }

  /** Whether an outcome would be written down: the first of its item, or a better one. */
  isNews(outcome: Outcome): boolean {
    const { index } = outcome;
    if (this.#writing.has(index)) return false;
    return this.#parts.wanted.has(index) || this.#isBetter(outcome);
  }

  /** Resolves when an outcome of the item is safely on disk. */
  record(outcome: Outcome): Promise<void> {
    const { index } = outcome;
    const writing = this.#writing.get(index);
    if (writing !== undefined) return writing;
    if (!this.#parts.wanted.has(index)) {
      this.#window.release(index);
      // A worker of another sitting may have asked what this one is not about: it is paid for.
      return this.#isBetter(outcome) ? this.#parts.ledger.record(outcome) : Promise.resolve();
    }
    const written = this.#write(outcome);
    this.#writing.set(index, written);
    return written;
  }

  #isBetter({ index, kind }: Outcome): boolean {
    const state = this.#parts.ledger.items.state(index);
    return state === "pending" || (state === "failed" && kind === "completed");
  }

  async #write(outcome: Outcome): Promise<void> {
    const { ledger, onOutcome } = this.#parts;
    const { index } = outcome;
    try {
      await ledger.record(outcome);
      onOutcome(outcome, this.#window.get(index)?.model);
      this.#window.release(index);
    } finally {
      this.#writing.delete(index);
    }
  }
}
