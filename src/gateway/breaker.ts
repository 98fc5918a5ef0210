import type { Clock } from "../system/clock.ts";

/** When a breaker opens, and how it probes. Times are milliseconds. */
export interface BreakerPolicy {
  /** Failures in a row that open it. */
  readonly failures: number;
  readonly shortestPauseMs: number;
  readonly longestPauseMs: number;
}

/** For an outage: ten network errors or 5xx in a row. */
export const OUTAGE: BreakerPolicy = {
  failures: 10,
  shortestPauseMs: 1_000,
  longestPauseMs: 60_000,
};
/** For trouble with the account: the first refusal stops the others until one more call has told. */
export const DISTRUST: BreakerPolicy = { failures: 1, shortestPauseMs: 0, longestPauseMs: 1_000 };

/** A probe follows the last one after this share of the outage so far. */
const PAUSE_SHARE = 0.2;

/** Names the call that is sent to see whether the gateway is back; null is any other call. */
export type Probe = number | null;

/**
 * Tells trouble behind all calls from trouble with one. After a number of failures in a row it
 * opens: then nothing is sent but one probe at a time, until anything else comes back.
 */
export class Breaker {
  readonly #clock: Clock;
  readonly #policy: BreakerPolicy;
  #failures = 0;
  #openedAt: number | null = null;
  #nextProbeAt = 0;
  /** The probe that is out. One of an earlier outage may still be under way: it is none any more. */
  #probe: Probe = null;
  #probes = 0;
  #lastMessage = "";
  #cancelTimer = (): void => {};
  readonly #waiting = new Set<(probe: Probe) => void>();

  constructor(clock: Clock, policy: BreakerPolicy = OUTAGE) {
    this.#clock = clock;
    this.#policy = policy;
  }

  /** Milliseconds since it opened; null while it is closed. */
  get outageMs(): number | null {
    return this.#openedAt === null ? null : this.#clock.monotonic() - this.#openedAt;
  }

  /** What the last failure said. */
  get lastMessage(): string {
    return this.#lastMessage;
  }

  /**
   * Resolves when the caller may call: at once while closed, else as the next probe. Those who
   * waited longest probe first, so each probe is another item.
   */
  async pass(signal: AbortSignal): Promise<Probe> {
    signal.throwIfAborted();
    if (this.#openedAt === null) return null;
    return new Promise<Probe>((resolve, reject) => {
      const go = (probe: Probe): void => {
        this.#waiting.delete(go);
        signal.removeEventListener("abort", stop);
        resolve(probe);
      };
      const stop = (): void => {
        this.#waiting.delete(go);
        this.#admit();
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.add(go);
      this.#admit();
    });
  }

  /** Whether a call that has passed may still be made: it may have waited elsewhere since. */
  admits(probe: Probe): boolean {
    return this.#openedAt === null || (probe !== null && probe === this.#probe);
  }

  /** A network error or a 5xx came back. */
  failed(message: string, probe: Probe): void {
    const now = this.#clock.monotonic();
    this.#lastMessage = message;
    this.#failures += 1;
    if (this.#openedAt === null) {
      if (this.#failures < this.#policy.failures) return;
      this.#openedAt = now;
    }
    const pause = (now - this.#openedAt) * PAUSE_SHARE;
    const { shortestPauseMs, longestPauseMs } = this.#policy;
    this.#nextProbeAt = now + Math.min(longestPauseMs, Math.max(shortestPauseMs, pause));
    this.gaveUp(probe);
  }

  /** Anything else came back: the gateway is there. */
  answered(): void {
    this.#failures = 0;
    this.#openedAt = null;
    this.#probe = null;
    this.#admit();
  }

  /** A call ended without telling anything: it was aborted, or never made. */
  gaveUp(probe: Probe): void {
    if (probe === this.#probe) this.#probe = null;
    this.#admit();
  }

  /** Lets everybody go while it is closed, else one when it is time for a probe. */
  #admit(): void {
    this.#cancelTimer();
    if (this.#openedAt === null) {
      for (const go of this.#waiting) go(null);
      return;
    }
    const [first] = this.#waiting;
    if (first === undefined || this.#probe !== null) return;
    const pause = this.#nextProbeAt - this.#clock.monotonic();
    if (pause > 0) {
      this.#cancelTimer = this.#clock.after(pause, () => this.#admit());
      return;
    }
    this.#probes += 1;
    this.#probe = this.#probes;
    first(this.#probe);
  }
}
