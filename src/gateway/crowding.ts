/** Answers that come this quickly are slow for no crowd. */
const QUICK_MS = 100;
const FEWEST_ANSWERS = 30;
/** Rounds are compared when there were half as many calls again at once. */
const MORE_CALLS = 1.5;
const NO_MORE_ANSWERS = 1.1;
const MUCH_SLOWER = 1.4;
/** How long a verdict holds; then more calls are tried again. */
const HOLDS_MS = 30_000;

/** Some answers in a row. */
interface Round {
  readonly calls: number;
  /** Answers per millisecond. */
  readonly rate: number;
  readonly latencyMs: number;
}

/** Tells when more calls at once bring no more answers, only slower ones. */
export class Crowding {
  #before: Round | null = null;
  #enough = Infinity;
  #holdsUntil = -Infinity;
  #startedAt = -Infinity;
  #answers = 0;
  #sumMs = 0;
  #sumCalls = 0;

  /** Calls at once that bring as many answers as more would; Infinity where that is not known. */
  get enough(): number {
    return this.#enough;
  }

  /**
   * @param ms how long the answer took.
   * @param now monotonic milliseconds.
   * @param calls at once that are allowed now.
   */
  answered(ms: number, now: number, calls: number): void {
    if (now >= this.#holdsUntil) this.#enough = Infinity;
    if (this.#answers === 0) this.#startedAt = now;
    this.#answers += 1;
    this.#sumMs += ms;
    this.#sumCalls += calls;
    const average = this.#sumCalls / this.#answers;
    if (this.#answers <= Math.max(FEWEST_ANSWERS, average)) return;
    const round = {
      calls: average,
      // The first answer only starts the watch.
      rate: (this.#answers - 1) / Math.max(1, now - this.#startedAt),
      latencyMs: this.#sumMs / this.#answers,
    };
    this.#answers = this.#sumMs = this.#sumCalls = 0;
    this.#compare(round, now);
  }

  #compare(round: Round, now: number): void {
    const before = this.#before;
    if (before !== null && round.calls > before.calls && round.calls < before.calls * MORE_CALLS) {
      return;
    }
    this.#before = round;
    if (before === null || round.calls <= before.calls || round.latencyMs < QUICK_MS) return;
    const isCrowded =
      round.rate < before.rate * NO_MORE_ANSWERS &&
      round.latencyMs > before.latencyMs * MUCH_SLOWER;
    if (!isCrowded) return;
    this.#enough = Math.ceil(before.calls);
    this.#holdsUntil = now + HOLDS_MS;
    this.#before = before;
  }
}
