import type { Clock } from "../system/clock.ts";
import { Breaker, DISTRUST, OUTAGE, type Probe } from "./breaker.ts";
import type { Verdict } from "./verdict.ts";

/** What a call is a probe of, if it is one. */
export interface Probes {
  readonly outage: Probe;
  readonly trust: Probe;
}

/** Holds calls back while the gateway is away, and lets one at a time try where the account may be to blame. */
export class Breakers {
  readonly #clock: Clock;
  readonly #outage: Breaker;
  readonly #trust: Breaker;
  #awaySince: number | null = null;
  #lastMessage = "";

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#outage = new Breaker(clock, OUTAGE);
    this.#trust = new Breaker(clock, DISTRUST);
  }

  /** The outage that holds calls back now; null where there is none. */
  get outage(): { readonly forMs: number; readonly message: string } | null {
    const forMs = this.#outage.outageMs;
    return forMs === null ? null : { forMs, message: this.#outage.lastMessage };
  }

  /**
   * Milliseconds for which the gateway has only failed or refused for load; null when the last
   * call brought anything else.
   */
  get awayMs(): number | null {
    return this.#awaySince === null ? null : this.#clock.monotonic() - this.#awaySince;
  }

  /** What the last failure said. */
  get lastMessage(): string {
    return this.#lastMessage;
  }

  /** Resolves when a call may be made. @throws the signal's reason when it aborts first. */
  async pass(signal: AbortSignal): Promise<Probes> {
    const outage = await this.#outage.pass(signal);
    try {
      return { outage, trust: await this.#trust.pass(signal) };
    } catch (error) {
      this.#outage.gaveUp(outage);
      throw error;
    }
  }

  /** Whether the call may still be made. */
  admit({ outage, trust }: Probes): boolean {
    return this.#outage.admits(outage) && this.#trust.admits(trust);
  }

  /** The call is not made after all, or was aborted. */
  gaveUp({ outage, trust }: Probes): void {
    this.#trust.gaveUp(trust);
    this.#outage.gaveUp(outage);
  }

  /** What came of a call. */
  learn(verdict: Verdict, { outage, trust }: Probes): void {
    if (verdict.class === "completed") this.#trust.answered();
    else if (verdict.class === "pause-run") this.#trust.failed(verdict.failure.message, trust);
    else this.#trust.gaveUp(trust);
    if (verdict.class === "throttled" || (verdict.class === "retry" && verdict.outage)) {
      this.#awaySince ??= this.#clock.monotonic();
      this.#lastMessage = verdict.failure.message;
    } else this.#awaySince = null;
    if (verdict.class === "retry" && verdict.outage) {
      this.#outage.failed(verdict.failure.message, outage);
      // Whatever it means for its item, a 5xx is no sign that an outage is over.
    } else if (isServerError(verdict)) this.#outage.gaveUp(outage);
    else this.#outage.answered();
  }
}

function isServerError(verdict: Verdict): boolean {
  return verdict.class !== "completed" && (verdict.failure.response?.status ?? 0) >= 500;
}
