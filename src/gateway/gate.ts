import type { Clock } from "../system/clock.ts";
import type { Random } from "../system/random.ts";
import { Closure } from "./closure.ts";

/**
 * The gate that a throttling answer closes for every worker of the account. While it is closed
 * nobody calls; then a call tries whether it is open, four times a second at most.
 */
export class Gate {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #closure = new Closure();
  readonly #waiting = new Set<() => void>();
  #cancelTimer: (() => void) | null = null;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Milliseconds of the monotonic clock at which it opens again; null when it is open. */
  get opensAt(): number | null {
    return this.#closure.opensAt(this.#now);
  }

  /** Milliseconds so far in which it was closed. */
  get closedMs(): number {
    return this.#closure.closedMs(this.#now);
  }

  /**
   * A call was throttled.
   *
   * @param sentAt monotonic milliseconds at which the refused call was sent.
   * @param waitMs what the gateway told; null where it did not tell.
   * @returns whether this closed the gate anew.
   */
  close(sentAt: number, waitMs: number | null): boolean {
    const isNews = this.#closure.close(this.#now, sentAt, waitMs);
    this.#wake();
    return isNews;
  }

  /** Closes it for so long from now; never opens it sooner than an earlier answer said. */
  closeFor(ms: number): void {
    this.#closure.closeFor(this.#now, ms);
    this.#wake();
  }

  /** A call was answered: the next untold pause is the first again. */
  answered(sentAt: number): void {
    this.#closure.answered(this.#now, sentAt);
    if (this.#waiting.size > 0) this.#wake();
  }

  /** A call brought anything but a refusal: if it was sent since the gate closed, it is open. */
  letIn(sentAt: number): void {
    if (!this.#closure.onTrial) return;
    this.#closure.letIn(this.#now, sentAt);
    this.#wake();
  }

  /** Resolves when the gate is open; those who waited leave spread over a little time. */
  async pass(signal: AbortSignal): Promise<void> {
    if (this.opensAt === null && !this.#closure.onTrial) return;
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
    const { onTrial, spreadMs } = this.#closure;
    if (onTrial || spreadMs === 0) return;
    await this.#clock.sleep(this.#random() * spreadMs, signal);
  }

  get #now(): number {
    return this.#clock.monotonic();
  }

  /** Lets go whom it may, and comes back when it may let go another. */
  #wake(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const [first] = this.#waiting;
    if (first === undefined) return;
    const now = this.#now;
    const nextAt = this.#closure.nextAt(now);
    if (nextAt > now) {
      this.#cancelTimer = this.#clock.after(nextAt - now, () => this.#wake());
    } else if (this.#closure.onTrial) {
      this.#closure.tried(now);
      first();
      this.#wake();
    } else for (const go of this.#waiting) go();
  }
}
