import type { Clock } from "../system/clock.ts";
import type { Random } from "../system/random.ts";

const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;
/** Those who waited are let go over this share of the pause, so that they don't all call at once. */
const SPREAD = 0.25;
const LONGEST_SPREAD_MS = 2_000;

/**
 * The gate that a throttling answer closes for every worker of the account. While it is closed
 * nobody calls.
 */
export class Gate {
  readonly #clock: Clock;
  readonly #random: Random;
  #closedAt = -Infinity;
  #opensAt = -Infinity;
  #untold = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Milliseconds of the monotonic clock at which it opens again; null when it is open. */
  get opensAt(): number | null {
    return this.#opensAt > this.#clock.monotonic() ? this.#opensAt : null;
  }

  /**
   * A call was throttled. Answers to calls that were sent before the gate closed last say nothing
   * new: a burst of refusals counts once.
   *
   * @param sentAt monotonic milliseconds at which the refused call was sent.
   * @param waitMs what the gateway told; null where it did not tell: then 2, 4, 8 … 60 s.
   * @returns whether this closed the gate anew.
   */
  close(sentAt: number, waitMs: number | null): boolean {
    const now = this.#clock.monotonic();
    const isNews = sentAt > this.#closedAt;
    if (waitMs !== null) {
      // News whenever the call was sent: the gateway said so.
      this.#closeFor(waitMs);
    } else if (isNews) {
      this.#closeFor(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#untold));
      this.#untold += 1;
    }
    if (isNews) this.#closedAt = now;
    return isNews;
  }

  /** A call was answered: the next untold pause is the first again. */
  answered(): void {
    this.#untold = 0;
  }

  /** Resolves when the gate is open; those who waited leave spread over a little time. */
  async pass(signal: AbortSignal): Promise<void> {
    let waited = 0;
    for (;;) {
      const pause = this.#opensAt - this.#clock.monotonic();
      if (pause <= 0) break;
      await this.#clock.sleep(pause, signal);
      waited = pause;
    }
    if (waited > 0) {
      await this.#clock.sleep(
        this.#random() * Math.min(waited * SPREAD, LONGEST_SPREAD_MS),
        signal,
      );
    }
  }

  /** Never opens it sooner than an earlier answer said. */
  #closeFor(ms: number): void {
    this.#opensAt = Math.max(this.#opensAt, this.#clock.monotonic() + ms);
  }
}
