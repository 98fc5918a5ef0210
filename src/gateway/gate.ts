import type { Clock } from "../system/clock.ts";
import type { Random } from "../system/random.ts";

const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;
/** After a pause as long as this the first calls go one by one, until one of them is let in. */
const SHORTEST_LONG_PAUSE_MS = 1_000;
const TRIAL_EVERY_MS = 250;
/** Those who waited are let go over this share of the pause, so that they don't all call at once. */
const SPREAD = 0.25;
const LONGEST_SPREAD_MS = 2_000;

/**
 * The gate that a throttling answer closes for every worker of the account. While it is closed
 * nobody calls; then a call tries whether it is open, four times a second at most.
 */
export class Gate {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #waiting = new Set<() => void>();
  #closedAt = -Infinity;
  #opensAt = -Infinity;
  /** How long it was closed in all, up to when it opens. */
  #closedMs = 0;
  #untold = 0;
  #onTrial = false;
  #nextTrialAt = -Infinity;
  #spreadMs = 0;
  #cancelTimer: (() => void) | null = null;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Milliseconds of the monotonic clock at which it opens again; null when it is open. */
  get opensAt(): number | null {
    return this.#opensAt > this.#clock.monotonic() ? this.#opensAt : null;
  }

  /** Milliseconds so far in which it was closed. */
  get closedMs(): number {
    return this.#closedMs - Math.max(0, this.#opensAt - this.#clock.monotonic());
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
    const isNews = sentAt > this.#closedAt;
    if (waitMs !== null) {
      // News whenever the call was sent: the gateway said so.
      this.closeFor(waitMs);
    } else if (isNews) {
      this.closeFor(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#untold));
      this.#untold += 1;
    }
    if (isNews) this.#closedAt = this.#clock.monotonic();
    return isNews;
  }

  /** Closes it for so long from now; never opens it sooner than an earlier answer said. */
  closeFor(ms: number): void {
    const opensAt = this.#clock.monotonic() + ms;
    if (opensAt <= this.#opensAt) return;
    this.#closedMs += opensAt - Math.max(this.#opensAt, this.#clock.monotonic());
    this.#opensAt = opensAt;
    this.#spreadMs = Math.min(ms * SPREAD, LONGEST_SPREAD_MS);
    if (ms >= SHORTEST_LONG_PAUSE_MS) this.#onTrial = true;
    this.#wake();
  }

  /** A call was answered: the next untold pause is the first again. */
  answered(sentAt: number): void {
    if (sentAt >= this.#closedAt) this.#untold = 0;
    this.letIn(sentAt);
  }

  /** A call brought anything but a refusal: if it was sent since the gate closed, it is open. */
  letIn(sentAt: number): void {
    if (!this.#onTrial || this.opensAt !== null || sentAt < this.#closedAt) return;
    this.#onTrial = false;
    this.#wake();
  }

  /** Resolves when the gate is open; those who waited leave spread over a little time. */
  async pass(signal: AbortSignal): Promise<void> {
    if (this.opensAt === null && !this.#onTrial) return;
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        this.#waiting.delete(go);
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const stop = (): void => {
        this.#waiting.delete(go);
        if (this.#waiting.size === 0) this.#wake();
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.add(go);
      if (this.#cancelTimer === null) this.#wake();
    });
    if (this.#onTrial || this.#spreadMs === 0) return;
    await this.#clock.sleep(this.#random() * this.#spreadMs, signal);
  }

  /** Lets go whom it may, and comes back when it may let go another. */
  #wake(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const now = this.#clock.monotonic();
    const [first] = this.#waiting;
    if (first === undefined) return;
    if (this.#opensAt <= now && !this.#onTrial) {
      for (const go of this.#waiting) go();
      return;
    }
    const nextAt = Math.max(this.#opensAt, this.#nextTrialAt);
    if (nextAt <= now) {
      this.#nextTrialAt = now + TRIAL_EVERY_MS;
      first();
      this.#wake();
    } else this.#cancelTimer = this.#clock.after(nextAt - now, () => this.#wake());
  }
}
