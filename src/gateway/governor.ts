import type { AccountShare } from "../account-share.ts";
import type { Clock } from "../system/clock.ts";
import type { Random } from "../system/random.ts";
import { Breaker, DISTRUST, OUTAGE, type Probe } from "./breaker.ts";
import { Gate } from "./gate.ts";
import { Permits } from "./permits.ts";
import { RateFinder } from "./rate-finder.ts";
import { Slots } from "./slots.ts";
import { Supply } from "./supply.ts";
import type { Verdict } from "./verdict.ts";

const SHRINK_EVERY_MS = 1_000;
/** How much of a limit is used. One call has many tokens: they come less evenly than calls do. */
const REQUESTS_USED = 0.96;
const TOKENS_USED = 0.945;

/** What an account allows; null where that is not known. */
export interface Limits {
  readonly rpm: number | null;
  readonly tpm: number | null;
  readonly concurrency: number | null;
}

export interface GovernorOptions {
  /** Calls in flight at most. */
  readonly concurrency: number;
  /** Requests per minute at most; null where nobody said. */
  readonly rpm: number | null;
  /** Tokens per minute at most; null where nobody said. */
  readonly tpm: number | null;
  /** What an earlier run found out about the account: where this one begins. */
  readonly learned?: Limits;
  /** Where other processes use the same account at the same time. @default null */
  readonly share?: AccountShare | null;
  readonly clock: Clock;
  readonly random: Random;
}

type Throttled = Extract<Verdict, { class: "throttled" }>;

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

/** A call that was sent. */
interface Sent {
  readonly at: number;
  readonly tokens: number;
  /** How many were sent before it, itself among them. */
  readonly nth: number;
  /** Calls in flight when it was sent, itself among them. */
  readonly inFlight: number;
  readonly probes: Probes;
}

/** What holds the run back just now. */
export type Holdup =
  | { readonly kind: "nothing" }
  | { readonly kind: "throttled"; readonly untilMs: number }
  | { readonly kind: "outage"; readonly forMs: number; readonly message: string }
  | { readonly kind: "rpm" | "tpm"; readonly perMinute: number }
  /** As many calls in flight as there may be. */
  | { readonly kind: "concurrency"; readonly calls: number }
  /** More calls at once would only be answered later. */
  | { readonly kind: "latency"; readonly calls: number };

/** Stands in front of every call: outages, throttling, the account's rates and calls in flight. */
export class Governor {
  readonly #options: GovernorOptions;
  readonly #slots: Slots;
  readonly #gate: Gate;
  readonly #breaker: Breaker;
  readonly #trust: Breaker;
  readonly #requests: RateFinder;
  readonly #tokens: RateFinder;
  readonly #requestPermits = new Permits(() => this.#supply.wanted());
  readonly #tokenPermits = new Permits(() => this.#supply.wanted());
  readonly #supply: Supply;
  #inFlight = 0;
  /** Calls sent so far. */
  #sent = 0;
  /** Calls in flight when the one was sent whose refusal is not explained yet. */
  #refusedInFlight = 0;
  #awaySince: number | null = null;
  #lastMessage = "";
  #lastShrinkAt = -Infinity;

  constructor(options: GovernorOptions) {
    this.#options = options;
    const { clock, random, learned, share = null } = options;
    const now = clock.monotonic();
    this.#slots = new Slots(options.concurrency, learned?.concurrency ?? null, now);
    this.#gate = new Gate(clock, random);
    this.#breaker = new Breaker(clock, OUTAGE);
    this.#trust = new Breaker(clock, DISTRUST);
    this.#requests = new RateFinder(REQUESTS_USED, options.rpm, learned?.rpm ?? null, now);
    this.#tokens = new RateFinder(TOKENS_USED, options.tpm, learned?.tpm ?? null, now);
    this.#supply = new Supply({
      requests: { finder: this.#requests, permits: this.#requestPermits },
      tokens: { finder: this.#tokens, permits: this.#tokenPermits },
      clock,
      share,
      onClosed: (ms) => this.#gate.closeFor(ms),
    });
  }

  /** Whether it wants to know how many tokens calls may use, and used. */
  get countsTokens(): boolean {
    return this.#tokens.rate !== null;
  }

  /** What the user allows per minute from now on; null where nobody says. */
  allow({ rpm, tpm }: Pick<Limits, "rpm" | "tpm">): void {
    const now = this.#options.clock.monotonic();
    this.#requests.allow(rpm, now);
    this.#tokens.allow(tpm, now);
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
    return {
      rpm: this.#requests.learned,
      tpm: this.#tokens.learned,
      concurrency: this.#slots.learned,
    };
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
    if (this.#requests.rate !== null && this.#requestPermits.waiting > 0) {
      return { kind: "rpm", perMinute: this.#requests.rate };
    }
    if (this.#tokens.rate !== null && this.#tokenPermits.waiting > 0) {
      return { kind: "tpm", perMinute: this.#tokens.rate };
    }
    if (this.#slots.waiting === 0) return { kind: "nothing" };
    const kind = this.#slots.isCrowded ? "latency" : "concurrency";
    return { kind, calls: this.#slots.limit };
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
      const outage = await this.#breaker.pass(signal);
      // What has been taken is given back, last first, when the call is not made after all.
      const takenBack = [() => this.#breaker.gaveUp(outage)];
      const giveBack = (): void => takenBack.reverse().forEach((undo) => undo());
      try {
        const trust = await this.#trust.pass(signal);
        takenBack.push(() => this.#trust.gaveUp(trust));
        await this.#slots.take(signal);
        takenBack.push(() => this.#slots.free());
        if (this.#requests.rate !== null) await this.#requestPermits.take(1, signal);
        const limit = this.#tokens.rate;
        // A call that is larger than a minute's tokens takes them all.
        const units = limit === null ? 0 : Math.min(tokens(), Math.max(1, Math.floor(limit)));
        if (units > 0) await this.#tokenPermits.take(units, signal);
        // The world may have changed while this call waited for its turn.
        const admitted =
          this.#gate.opensAt === null && this.#breaker.admits(outage) && this.#trust.admits(trust);
        if (admitted && !signal.aborted) return this.#permit(units, { outage, trust });
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

  #permit(tokens: number, probes: Probes): Permit {
    const at = this.#options.clock.monotonic();
    this.#inFlight += 1;
    this.#sent += 1;
    this.#requests.sent(at, 1);
    this.#tokens.sent(at, tokens);
    const sent: Sent = { at, tokens, nth: this.#sent, inFlight: this.#inFlight, probes };
    return {
      sentAt: at,
      report: (verdict, tokensUsed) => {
        // What was refused is taken back whole where the refusal is judged.
        if (verdict?.class !== "throttled" && tokensUsed !== null && tokens > 0) {
          this.#tokenPermits.refund(tokens - tokensUsed);
          this.#tokens.takeBack(at, tokens - tokensUsed);
        }
        this.#learn(verdict, sent);
      },
      free: () => {
        this.#inFlight -= 1;
        this.#slots.free();
      },
    };
  }

  #learn(verdict: Verdict | null, sent: Sent): void {
    const { outage: probe, trust } = sent.probes;
    if (verdict?.class === "completed") this.#trust.answered();
    else if (verdict?.class === "pause-run") this.#trust.failed(verdict.failure.message, trust);
    else this.#trust.gaveUp(trust);
    if (verdict === null) {
      this.#breaker.gaveUp(probe);
      return;
    }
    const now = this.#options.clock.monotonic();
    if (verdict.class === "throttled" || (verdict.class === "retry" && verdict.outage)) {
      this.#awaySince ??= now;
      this.#lastMessage = verdict.failure.message;
    } else this.#awaySince = null;
    if (verdict.class !== "throttled") {
      this.#gate.letIn(sent.at);
      this.#slots.letIn(sent.inFlight);
      if (!this.#requests.letIn(sent.at)) this.#slots.suspected(this.#refusedInFlight);
      this.#tokens.letIn(sent.at);
    }
    if (verdict.class === "retry" && verdict.outage) {
      this.#breaker.failed(verdict.failure.message, probe);
      return;
    }
    // Whatever it means for its item, a 5xx is no sign that an outage is over.
    if (isServerError(verdict)) this.#breaker.gaveUp(probe);
    else this.#breaker.answered();
    if (verdict.class === "throttled") this.#throttled(verdict, sent, now);
    if (verdict.class === "completed") {
      this.#gate.answered(sent.at);
      this.#slots.answered(now - sent.at, now);
    }
  }

  #throttled(verdict: Throttled, sent: Sent, now: number): void {
    const isNews = this.#gate.close(sent.at, verdict.waitMs);
    const opensAt = this.#gate.opensAt;
    if (opensAt !== null) this.#supply.tellClosed(opensAt - now);
    const { requestsPerMinute, tokensPerMinute, limit } = verdict;
    const refusal = { now, sentAt: sent.at, sentAfter: this.#sent - sent.nth, isNews };
    if (limit === "concurrency" || limit === "overload") {
      this.#requests.takeBack(sent.at, 1);
      this.#tokens.takeBack(sent.at, sent.tokens);
      if (!isNews) return;
      if (limit === "concurrency") this.#slots.refused(sent.inFlight - 1, now);
      else this.#shrink(now);
    } else if (tokensPerMinute !== null || (limit === "tokens" && this.countsTokens)) {
      this.#requests.takeBack(sent.at, 1);
      this.#tokens.refused({ ...refusal, units: sent.tokens, told: tokensPerMinute });
    } else {
      this.#tokens.takeBack(sent.at, sent.tokens);
      const explained = this.#requests.refused({ ...refusal, units: 1, told: requestsPerMinute });
      // Where the rate does not explain the last burst, the number of calls at once may.
      if (!explained) this.#slots.suspected(this.#refusedInFlight);
      if (isNews) this.#refusedInFlight = sent.inFlight;
    }
  }

  /** A gateway that tells waits of milliseconds would otherwise halve the calls with each of them. */
  #shrink(now: number): void {
    if (now - this.#lastShrinkAt < SHRINK_EVERY_MS) return;
    this.#lastShrinkAt = now;
    this.#slots.shrink();
  }
}

function isServerError(verdict: Verdict): boolean {
  return verdict.class !== "completed" && (verdict.failure.response?.status ?? 0) >= 500;
}
