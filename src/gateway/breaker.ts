import type { Clock } from "../system/clock.ts";

const FAILURES_TO_OPEN = 10;
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** A probe follows the last one after this share of the outage so far. */
const PAUSE_SHARE = 0.2;

/**
 * Tells an outage from a bad item. After ten network errors or 5xx in a row it opens: then nothing
 * is sent but one probe at a time, until anything else comes back.
 */
export class Breaker {
  readonly #clock: Clock;
  #failures = 0;
  #openedAt: number | null = null;
  #nextProbeAt = 0;
  #probing = false;
  #lastMessage = "";
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds since it opened; null while it is closed. */
  get outageMs(): number | null {
    return this.#openedAt === null ? null : this.#clock.monotonic() - this.#openedAt;
  }

  /** What the last failure said. */
  get lastMessage(): string {
    return this.#lastMessage;
  }

  get isOpen(): boolean {
    return this.#openedAt !== null;
  }

  /**
   * Resolves when the caller may call: at once while closed, else as the next probe. Those who
   * waited longest probe first, so each probe is another item.
   *
   * @returns whether the call is a probe.
   */
  async pass(signal: AbortSignal): Promise<boolean> {
    while (this.#openedAt !== null) {
      signal.throwIfAborted();
      const pause = this.#nextProbeAt - this.#clock.monotonic();
      if (!this.#probing && pause <= 0) {
        this.#probing = true;
        return true;
      }
      await this.#wait(pause, signal);
    }
    return false;
  }

  /** A network error or a 5xx came back. */
  failed(message: string, wasProbe: boolean): void {
    const now = this.#clock.monotonic();
    this.#lastMessage = message;
    this.#failures += 1;
    if (this.#openedAt === null) {
      if (this.#failures < FAILURES_TO_OPEN) return;
      this.#openedAt = now;
    }
    const pause = (now - this.#openedAt) * PAUSE_SHARE;
    this.#nextProbeAt = now + Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, pause));
    if (wasProbe) this.#probing = false;
    this.#wake();
  }

  /** Anything else came back: the gateway is there. */
  answered(): void {
    this.#failures = 0;
    if (this.#openedAt === null) return;
    this.#openedAt = null;
    this.#probing = false;
    this.#wake();
  }

  /** A probe ended without telling anything: it was aborted. */
  gaveUp(wasProbe: boolean): void {
    if (!wasProbe) return;
    this.#probing = false;
    this.#wake();
  }

  async #wait(pauseMs: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const end = (settleWith: () => void) => (): void => {
        this.#waiting.delete(wake);
        cancelTimer();
        signal.removeEventListener("abort", stop);
        settleWith();
      };
      const wake = end(resolve);
      const stop = end(() => reject(signal.reason as Error));
      const cancelTimer = pauseMs > 0 ? this.#clock.after(pauseMs, wake) : (): void => {};
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.add(wake);
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}
