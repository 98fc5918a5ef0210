import type { Limits } from "./limits.ts";
import { RateFinder } from "./rate-finder.ts";
import { Slots } from "./slots.ts";
import type { Verdict } from "./verdict.ts";

const SHRINK_EVERY_MS = 1_000;
/** How much of a limit is used. One call has many tokens: they come less evenly than calls do. */
const REQUESTS_USED = 0.96;
const TOKENS_USED = 0.935;

export interface LimitFinderOptions {
  /** Calls in flight at most. */
  readonly concurrency: number;
  /** Requests per minute at most; null where nobody said. */
  readonly rpm: number | null;
  /** Tokens per minute at most; null where nobody said. */
  readonly tpm: number | null;
  /** What an earlier run found out about the account: where this one begins. */
  readonly learned?: Limits;
}

/** A call that was sent. Times are monotonic milliseconds. */
export interface Sent {
  readonly at: number;
  readonly tokens: number;
  /** How many were sent before it, itself among them. */
  readonly nth: number;
  /** Calls in flight when it was sent, itself among them. */
  readonly inFlight: number;
}

type Throttled = Extract<Verdict, { class: "throttled" }>;

/** Finds the account's three limits: decides which of them a refusal speaks of. */
export class LimitFinder {
  readonly requests: RateFinder;
  readonly tokens: RateFinder;
  readonly slots: Slots;
  /** Calls sent so far. */
  #sent = 0;
  /** Calls in flight when the one was sent whose refusal is not explained yet. */
  #refusedInFlight = 0;
  #lastShrinkAt = -Infinity;

  constructor({ concurrency, rpm, tpm, learned }: LimitFinderOptions, now: number) {
    this.requests = new RateFinder(REQUESTS_USED, rpm, learned?.rpm ?? null, now);
    this.tokens = new RateFinder(TOKENS_USED, tpm, learned?.tpm ?? null, now);
    this.slots = new Slots(concurrency, learned?.concurrency ?? null, now);
  }

  /** What was found out about the account; null where nothing was. */
  get learned(): Limits {
    return {
      rpm: this.requests.learned,
      tpm: this.tokens.learned,
      concurrency: this.slots.learned,
    };
  }

  /** What the user allows per minute from now on; null where nobody says. */
  allow({ rpm, tpm }: Pick<Limits, "rpm" | "tpm">, now: number): void {
    this.requests.allow(rpm, now);
    this.tokens.allow(tpm, now);
  }

  /**
   * A call is sent.
   *
   * @param inFlight calls, itself among them.
   */
  sent(at: number, tokens: number, inFlight: number): Sent {
    this.#sent += 1;
    this.requests.sent(at, 1);
    this.tokens.sent(at, tokens);
    return { at, tokens, nth: this.#sent, inFlight };
  }

  /** A call was let in, whatever its answer says. */
  letIn(sent: Sent): void {
    this.slots.letIn(sent.inFlight);
    if (!this.requests.letIn(sent.at)) this.slots.suspected(this.#refusedInFlight);
    this.tokens.letIn(sent.at);
  }

  /** A call completed. */
  answered(sent: Sent, now: number): void {
    this.slots.answered(now - sent.at, now);
  }

  /**
   * A call was throttled.
   *
   * @param isNews false for the other refusals of one burst.
   */
  refused(verdict: Throttled, sent: Sent, now: number, isNews: boolean): void {
    const { requestsPerMinute, tokensPerMinute, limit } = verdict;
    const refusal = { now, sentAt: sent.at, sentAfter: this.#sent - sent.nth, isNews };
    if (limit === "concurrency" || limit === "overload") {
      this.requests.takeBack(sent.at, 1);
      this.tokens.takeBack(sent.at, sent.tokens);
      if (!isNews) return;
      if (limit === "concurrency") this.slots.refused(sent.inFlight - 1, now);
      else this.#shrink(now);
    } else if (tokensPerMinute !== null || (limit === "tokens" && this.tokens.rate !== null)) {
      this.requests.takeBack(sent.at, 1);
      this.tokens.refused({ ...refusal, units: sent.tokens, told: tokensPerMinute });
    } else {
      this.tokens.takeBack(sent.at, sent.tokens);
      const explained = this.requests.refused({ ...refusal, units: 1, told: requestsPerMinute });
      // Where the rate does not explain the last burst, the number of calls at once may.
      if (!explained) this.slots.suspected(this.#refusedInFlight);
      if (isNews) this.#refusedInFlight = sent.inFlight;
    }
  }

  /** A gateway that tells waits of milliseconds would otherwise halve the calls with each of them. */
  #shrink(now: number): void {
    if (now - this.#lastShrinkAt < SHRINK_EVERY_MS) return;
    this.#lastShrinkAt = now;
    this.slots.shrink();
  }
}
