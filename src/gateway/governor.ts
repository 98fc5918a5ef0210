import type { Clock } from "../system/clock.ts";
import type { Random } from "../system/random.ts";
import { Breaker, DISTRUST, OUTAGE, type Probe } from "./breaker.ts";
import { Gate } from "./gate.ts";
import { Permits } from "./permits.ts";
import { Slots } from "./slots.ts";
import type { Verdict } from "./verdict.ts";

const SHRINK_EVERY_MS = 1_000;

export interface GovernorOptions {
  /** Calls in flight at most. */
  readonly concurrency: number;
  /** Requests per minute; null where the account's limit is not known. */
  readonly rpm: number | null;
  /** Tokens per minute; null where the account's limit is not known. */
  readonly tpm: number | null;
  readonly clock: Clock;
  readonly random: Random;
}

/** Leave to make one call. The slot is held until {@link Permit.free}. */
export interface Permit {
  /** Monotonic milliseconds at which it was given. */
  readonly sentAt: number;
  /** Tells the governor what came of the call; null when it was aborted. */
  report(verdict: Verdict | null, tokensUsed: number | null): void;
  /** Lets the next call go. For a completed item only when its answer is on disk. */
  free(): void;
}

/** What a call is a probe of, if it is one. */
interface Probes {
  readonly outage: Probe;
  readonly trust: Probe;
}

/** What holds the run back just now. */
export type Holdup =
  | { readonly kind: "nothing" }
  | { readonly kind: "throttled"; readonly untilMs: number }
  | { readonly kind: "outage"; readonly forMs: number; readonly message: string }
  | { readonly kind: "rpm" | "tpm" };

/** Stands in front of every call: outages, throttling, the account's rates and calls in flight. */
export class Governor {
  readonly #options: GovernorOptions;
  readonly #slots: Slots;
  readonly #gate: Gate;
  readonly #breaker: Breaker;
  readonly #trust: Breaker;
  readonly #requests: Permits | null;
  readonly #tokens: Permits | null;
  #awaySince: number | null = null;
  #lastMessage = "";
  #lastShrinkAt = -Infinity;

  constructor(options: GovernorOptions) {
    this.#options = options;
    this.#slots = new Slots(options.concurrency);
    this.#gate = new Gate(options.clock, options.random);
    this.#breaker = new Breaker(options.clock, OUTAGE);
    this.#trust = new Breaker(options.clock, DISTRUST);
    this.#requests = options.rpm === null ? null : new Permits(options.rpm);
    this.#tokens = options.tpm === null ? null : new Permits(options.tpm);
  }

  /** Whether it wants to know how many tokens calls used. */
  get countsTokens(): boolean {
    return this.#tokens !== null;
  }

  get inFlight(): number {
    return this.#slots.taken;
  }

  /**
   * Milliseconds for which the gateway has only failed or refused for load; null when the last
   * call brought anything else.
   */
  get awayMs(): number | null {
    return this.#awaySince === null ? null : this.#options.clock.monotonic() - this.#awaySince;
  }

  /** What the last failure said. */
  get lastMessage(): string {
    return this.#lastMessage;
  }

  get holdup(): Holdup {
    const outageMs = this.#breaker.outageMs;
    if (outageMs !== null) {
      return { kind: "outage", forMs: outageMs, message: this.#breaker.lastMessage };
    }
    const opensAt = this.#gate.opensAt;
    if (opensAt !== null) {
      const { clock } = this.#options;
      return { kind: "throttled", untilMs: clock.now() + opensAt - clock.monotonic() };
    }
    if ((this.#requests?.waiting ?? 0) > 0) return { kind: "rpm" };
    if ((this.#tokens?.waiting ?? 0) > 0) return { kind: "tpm" };
    return { kind: "nothing" };
  }

  /**
   * Resolves when a call may be made.
   *
   * @param tokens that the call may use at most: its prompt and the answer it asks for.
   * @throws the signal's reason when it aborts first.
   */
  async enter(tokens: number, signal: AbortSignal): Promise<Permit> {
    for (;;) {
      await this.#gate.pass(signal);
      const outage = await this.#breaker.pass(signal);
      // What has been taken is given back, last first, when the call is not made after all.
      const takenBack = [() => this.#breaker.gaveUp(outage)];
      const giveBack = (): void => takenBack.reverse().forEach((undo) => undo());
      try {
        const trust = await this.#trust.pass(signal);
        takenBack.push(() => this.#trust.gaveUp(trust));
        await this.#slots.take(signal);
        takenBack.push(() => this.#slots.free());
        await this.#requests?.take(1, signal);
        takenBack.push(() => this.#requests?.refund(1));
        await this.#tokens?.take(tokens, signal);
        takenBack.push(() => this.#tokens?.refund(tokens));
        // The world may have changed while this call waited for its turn.
        const admitted =
          this.#gate.opensAt === null && this.#breaker.admits(outage) && this.#trust.admits(trust);
        if (admitted && !signal.aborted) return this.#permit(tokens, { outage, trust });
      } catch (error) {
        giveBack();
        throw error;
      }
      giveBack();
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#requests?.close(), this.#tokens?.close()]);
  }

  #permit(tokens: number, probes: Probes): Permit {
    const sentAt = this.#options.clock.monotonic();
    return {
      sentAt,
      report: (verdict, tokensUsed) => {
        if (tokensUsed !== null) this.#tokens?.refund(tokens - tokensUsed);
        this.#learn(verdict, sentAt, probes);
      },
      free: () => this.#slots.free(),
    };
  }

  #learn(verdict: Verdict | null, sentAt: number, { outage: probe, trust }: Probes): void {
    if (verdict?.class === "completed") this.#trust.answered();
    else if (verdict?.class === "pause-run") this.#trust.failed(verdict.failure.message, trust);
    else this.#trust.gaveUp(trust);
    if (verdict === null) {
      this.#breaker.gaveUp(probe);
      return;
    }
    if (verdict.class === "throttled" || (verdict.class === "retry" && verdict.outage)) {
      this.#awaySince ??= this.#options.clock.monotonic();
      this.#lastMessage = verdict.failure.message;
    } else this.#awaySince = null;
    if (verdict.class === "retry" && verdict.outage) {
      this.#breaker.failed(verdict.failure.message, probe);
      return;
    }
    // Whatever it means for its item, a 5xx is no sign that an outage is over.
    if (isServerError(verdict)) this.#breaker.gaveUp(probe);
    else this.#breaker.answered();
    if (verdict.class === "throttled") {
      if (this.#gate.close(sentAt, verdict.waitMs)) this.#shrink();
      return;
    }
    if (verdict.class === "completed") {
      this.#gate.answered();
      this.#slots.grow();
    }
  }

  /** A gateway that tells waits of milliseconds would otherwise halve the calls with each of them. */
  #shrink(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#lastShrinkAt < SHRINK_EVERY_MS) return;
    this.#lastShrinkAt = now;
    this.#slots.shrink();
  }
}

function isServerError(verdict: Verdict): boolean {
  return verdict.class !== "completed" && (verdict.failure.response?.status ?? 0) >= 500;
}
