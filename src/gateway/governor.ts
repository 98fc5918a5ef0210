import type { AccountShare } from "../account-share.ts";
import type { Clock } from "../system/clock.ts";
import type { Random } from "../system/random.ts";
import { Breakers, type Probes } from "./breakers.ts";
import { Gate } from "./gate.ts";
import type { Holdup } from "./holdup.ts";
import { LimitFinder, type LimitFinderOptions, type Sent } from "./limit-finder.ts";
import type { Limits } from "./limits.ts";
import { Permits } from "./permits.ts";
import { Supply } from "./supply.ts";
import type { Verdict } from "./verdict.ts";

export interface GovernorOptions extends LimitFinderOptions {
  /** Where other processes use the same account at the same time. @default null */
  readonly share?: AccountShare | null;
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

/** Stands in front of every call: outages, throttling, the account's rates and calls in flight. */
export class Governor {
  readonly #clock: Clock;
  readonly #limits: LimitFinder;
  readonly #gate: Gate;
  readonly #breakers: Breakers;
  readonly #requestPermits = new Permits(() => this.#supply.wanted());
  readonly #tokenPermits = new Permits(() => this.#supply.wanted());
  readonly #supply: Supply;
  #inFlight = 0;

  constructor(options: GovernorOptions) {
    const { clock, random, share = null } = options;
    this.#clock = clock;
    this.#limits = new LimitFinder(options, clock.monotonic());
    this.#gate = new Gate(clock, random);
    this.#breakers = new Breakers(clock);
    this.#supply = new Supply({
      requests: { finder: this.#limits.requests, permits: this.#requestPermits },
      tokens: { finder: this.#limits.tokens, permits: this.#tokenPermits },
      clock,
      share,
      onClosed: (ms) => this.#gate.closeFor(ms),
    });
  }

  /** Whether it wants to know how many tokens calls may use, and used. */
  get countsTokens(): boolean {
    return this.#limits.tokens.rate !== null;
  }

  /** What the user allows per minute from now on; null where nobody says. */
  allow(limits: Pick<Limits, "rpm" | "tpm">): void {
    this.#limits.allow(limits, this.#clock.monotonic());
  }

  /** Calls that were sent and are not recorded yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Milliseconds so far in which a throttling answer held all calls back. */
  get throttledMs(): number {
    return this.#gate.closedMs;
  }

  /** What was found out about the account; null where nothing was. */
  get learned(): Limits {
    return this.#limits.learned;
  }

  /**
   * Milliseconds for which the gateway has only failed or refused for load; null when the last
   * call brought anything else.
   */
  get awayMs(): number | null {
    return this.#breakers.awayMs;
  }

  /** What the last failure said. */
  get lastMessage(): string {
    return this.#breakers.lastMessage;
  }

  get holdup(): Holdup {
    const { outage } = this.#breakers;
    if (outage !== null) return { kind: "outage", ...outage };
    const opensAt = this.#gate.opensAt;
    if (opensAt !== null) {
      const clock = this.#clock;
      return { kind: "throttled", untilMs: clock.now() + opensAt - clock.monotonic() };
    }
    const { requests, tokens, slots } = this.#limits;
    if (requests.rate !== null && this.#requestPermits.waiting > 0) {
      return { kind: "rpm", perMinute: requests.rate };
    }
    if (tokens.rate !== null && this.#tokenPermits.waiting > 0) {
      return { kind: "tpm", perMinute: tokens.rate };
    }
    if (slots.waiting === 0) return { kind: "nothing" };
    return { kind: slots.isCrowded ? "latency" : "concurrency", calls: slots.limit };
  }

  /**
   * Resolves when a call may be made.
   *
   * @param tokens tells how many the call may use at most: its prompt and the answer it asks for.
   * @throws the signal's reason when it aborts first.
   */
  async enter(tokens: () => number, signal: AbortSignal): Promise<Permit> {
    for (;;) {
      await this.#gate.pass(signal);
      const probes = await this.#breakers.pass(signal);
      // What has been taken is given back, last first, when the call is not made after all.
      const takenBack = [() => this.#breakers.gaveUp(probes)];
      const giveBack = (): void => takenBack.reverse().forEach((undo) => undo());
      try {
        await this.#limits.slots.take(signal);
        takenBack.push(() => this.#limits.slots.free());
        const units = await this.#take(tokens, signal);
        // The world may have changed while this call waited for its turn.
        const isAdmitted = this.#gate.opensAt === null && this.#breakers.admit(probes);
        if (isAdmitted && !signal.aborted) return this.#permit(units, probes);
      } catch (error) {
        giveBack();
        throw error;
      }
      giveBack();
    }
  }

  async close(): Promise<void> {
    this.#supply.close();
    await Promise.all([this.#requestPermits.close(), this.#tokenPermits.close()]);
  }

  /** Takes what the call needs of both rates; how many tokens that are. */
  async #take(tokens: () => number, signal: AbortSignal): Promise<number> {
    if (this.#limits.requests.rate !== null) await this.#requestPermits.take(1, signal);
    const limit = this.#limits.tokens.rate;
    // A call that is larger than a minute's tokens takes them all.
    const units = limit === null ? 0 : Math.min(tokens(), Math.max(1, Math.floor(limit)));
    if (units > 0) await this.#tokenPermits.take(units, signal);
    return units;
  }

  #permit(tokens: number, probes: Probes): Permit {
    const at = this.#clock.monotonic();
    this.#inFlight += 1;
    const sent = this.#limits.sent(at, tokens, this.#inFlight);
    return {
      sentAt: at,
      report: (verdict, tokensUsed) => {
        // What was refused is taken back whole where the refusal is judged.
        if (verdict?.class !== "throttled" && tokensUsed !== null && tokens > 0) {
          this.#tokenPermits.refund(tokens - tokensUsed);
          this.#limits.tokens.takeBack(at, tokens - tokensUsed);
        }
        this.#learn(verdict, sent, probes);
      },
      free: () => {
        this.#inFlight -= 1;
        this.#limits.slots.free();
      },
    };
  }

  #learn(verdict: Verdict | null, sent: Sent, probes: Probes): void {
    if (verdict === null) {
      this.#breakers.gaveUp(probes);
      return;
    }
    this.#breakers.learn(verdict, probes);
    const now = this.#clock.monotonic();
    if (verdict.class === "throttled") {
      const isNews = this.#gate.close(sent.at, verdict.waitMs);
      const { opensAt } = this.#gate;
      if (opensAt !== null) this.#supply.tellClosed(opensAt - now);
      this.#limits.refused(verdict, sent, now, isNews);
      return;
    }
    this.#gate.letIn(sent.at);
    this.#limits.letIn(sent);
    if (verdict.class !== "completed") return;
    this.#gate.answered(sent.at);
    this.#limits.answered(sent, now);
  }
}
