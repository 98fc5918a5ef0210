/** Counts calls in flight and lets the next one go when there is room, in the order of asking. */
export class Slots {
  readonly #most: number;
  #limit: number;
  #taken = 0;
  #successes = 0;
  readonly #waiting = new Set<() => void>();

  /** @param most calls in flight at most, ever. */
  constructor(most: number) {
    this.#most = most;
    this.#limit = most;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Calls in flight that are allowed now. */
  get limit(): number {
    return this.#limit;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves when a slot is the caller's; it must call {@link free} once. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#taken < this.#limit) {
      this.#taken += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const stop = (): void => {
        this.#waiting.delete(go);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.add(go);
    });
  }

  free(): void {
    this.#taken -= 1;
    this.#admit();
  }

  /** The gateway refused for load: half as many at once. */
  shrink(): void {
    this.#limit = Math.max(1, Math.floor(this.#limit / 2));
    this.#successes = 0;
  }

  /** The gateway answered: one more at once after a round of such answers, or twenty. */
  grow(): void {
    if (this.#limit >= this.#most) return;
    this.#successes += 1;
    if (this.#successes < Math.min(this.#limit, ANSWERS_PER_STEP)) return;
    this.#successes = 0;
    this.#limit += 1;
    this.#admit();
  }

  #admit(): void {
    for (const go of this.#waiting) {
      if (this.#taken >= this.#limit) return;
      this.#waiting.delete(go);
      this.#taken += 1;
      go();
    }
  }
}

const ANSWERS_PER_STEP = 20;
