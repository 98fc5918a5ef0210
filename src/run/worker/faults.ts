const FIRST_PAUSE_MS = 1_000;
/** So many in a row are no accident. */
const MOST_IN_A_ROW = 5;

/** What to do with an item whose handling failed for no reason that anybody foresaw. */
export type AfterFault =
  /** Give it back after a pause, perhaps to another worker. */
  | { readonly kind: "back"; readonly pauseMs: number }
  /** The item is to blame: it fails here time and again, and others do not. */
  | { readonly kind: "end-item" }
  /** As far as one can tell, this worker is to blame. */
  | { readonly kind: "leave-run"; readonly pauseMs: number };

/** Counts errors that nobody foresaw, so that none of them makes an item go round for ever. */
export class Faults {
  readonly #byItem = new Map<number, number>();
  /** Items that failed since one went well. */
  readonly #inARow = new Set<number>();
  #hasWorked = false;

  note(index: number): AfterFault {
    const times = (this.#byItem.get(index) ?? 0) + 1;
    this.#byItem.set(index, times);
    this.#inARow.add(index);
    const pauseMs = FIRST_PAUSE_MS * 2 ** (times - 1);
    if (this.#inARow.size >= MOST_IN_A_ROW) return { kind: "leave-run", pauseMs };
    if (times < MOST_IN_A_ROW) return { kind: "back", pauseMs };
    if (!this.#hasWorked) return { kind: "leave-run", pauseMs };
    this.#byItem.delete(index);
    return { kind: "end-item" };
  }

  /** An item came to its outcome. */
  wentWell(index: number): void {
    this.#hasWorked = true;
    this.#byItem.delete(index);
    this.#inARow.clear();
  }
}
