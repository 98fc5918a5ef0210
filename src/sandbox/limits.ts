import type { Clock } from "../system/clock.ts";
import { goDuration } from "./go-duration.ts";
import { slidingWindow, tokenBucket } from "./meter.ts";
import type { Meter, Reservation } from "./meter.ts";

/** What one key may do, and how it is told when it asks for more. */
export interface Limits {
  /** Requests per minute. */
  readonly rpm?: number;
  /** Tokens per minute: the prompt and `max_tokens` are reserved, what was not used is given back. */
  readonly tpm?: number;
  /** Requests in the making at the same time. */
  readonly maxConcurrency?: number;
  /**
   * The limits hold within any stretch of this length, in proportion: 1000 turns 60 rpm into 1 per second.
   * @default 60000
   */
  readonly windowMs?: number;
  /** Requests that may come at once; turns the sliding window of `rpm` into a token bucket. */
  readonly burst?: number;
  /**
   * How a 429 says when to come back. new-api never does.
   * @default "none"
   */
  readonly retryAfter?: "none" | "seconds" | "ms" | "http-date";
  /**
   * Whether answers carry OpenAI's `x-ratelimit-*` headers.
   * @default "none"
   */
  readonly rateHeaders?: "none" | "openai";
  /**
   * What the body of a 429 is made of.
   * @default "json"
   */
  readonly bodyVariant?: "json" | "empty" | "html";
}

/** Why a request was not let in. */
export interface Throttled {
  readonly limit: "requests" | "tokens" | "concurrency";
  /** The limit as configured. */
  readonly allowed: number;
  /** Null where no waiting helps (larger than the whole limit) or nobody can tell. */
  readonly waitMs: number | null;
}

/** Holds one key to its limits. */
export class Limiter {
  readonly limits: Limits;
  readonly #clock: Clock;
  readonly #requests: Meter | null;
  readonly #tokens: Meter | null;
  readonly #tokenLimit: number;
  #inFlight = 0;

  constructor(limits: Limits, clock: Clock) {
    this.limits = limits;
    this.#clock = clock;
    const windowMs = limits.windowMs ?? 60_000;
    const share = windowMs / 60_000;
    this.#tokenLimit = (limits.tpm ?? 0) * share;
    this.#tokens = limits.tpm === undefined ? null : slidingWindow(this.#tokenLimit, windowMs);
    if (limits.rpm === undefined) this.#requests = null;
    else if (limits.burst !== undefined) this.#requests = tokenBucket(limits.rpm, limits.burst);
    else this.#requests = slidingWindow(Math.max(1, limits.rpm * share), windowMs);
  }

  /** Lets a request in, unless it comes too soon. Every request let in must `leave`. */
  enter(): Throttled | null {
    const { maxConcurrency, rpm } = this.limits;
    if (maxConcurrency !== undefined && this.#inFlight >= maxConcurrency) {
      return { limit: "concurrency", allowed: maxConcurrency, waitMs: null };
    }
    const taken = this.#requests?.take(this.#clock.now(), 1);
    if (typeof taken === "number") {
      return { limit: "requests", allowed: rpm ?? 0, waitMs: taken };
    }
    this.#inFlight += 1;
    return null;
  }

  leave(): void {
    this.#inFlight -= 1;
  }

  /** Sets tokens aside; null where tokens are not limited. */
  reserve(tokens: number): Reservation | Throttled | null {
    if (this.#tokens === null) return null;
    const taken = this.#tokens.take(this.#clock.now(), tokens);
    if (typeof taken !== "number") return taken;
    const tooLarge = tokens > this.#tokenLimit;
    return {
      limit: "tokens",
      allowed: this.limits.tpm ?? 0,
      waitMs: tooLarge ? null : taken,
    };
  }

  /** Gives back what of a reservation was not used. */
  settle(reservation: Reservation, usedTokens: number): void {
    this.#tokens?.refund(reservation, Math.max(0, reservation.amount - usedTokens));
  }

  /** OpenAI's rate headers as they stand now, in the flat form that Node takes. */
  rateHeaders(): string[] {
    if (this.limits.rateHeaders !== "openai") return [];
    const now = this.#clock.now();
    return [
      ...describe("requests", this.limits.rpm, this.#requests?.remaining(now)),
      ...describe("tokens", this.limits.tpm, this.#tokens?.remaining(now)),
    ];
  }

  /** The header that tells a throttled client when to come back, if this key's answers have one. */
  retryHeaders(waitMs: number | null): string[] {
    const { retryAfter = "none" } = this.limits;
    if (waitMs === null || retryAfter === "none") return [];
    if (retryAfter === "ms") return ["retry-after-ms", String(Math.ceil(waitMs))];
    if (retryAfter === "seconds") return ["Retry-After", String(Math.ceil(waitMs / 1000))];
    return ["Retry-After", httpDate(this.#clock.now() + waitMs)];
  }
}

/** Whole seconds are all that an HTTP date holds: it is rounded up, never too early. */
function httpDate(atMs: number): string {
  return new Date(Math.ceil(atMs / 1000) * 1000).toUTCString();
}

/** The reset time is, as at OpenAI, the time until the limit is full again, as a Go duration. */
function describe(
  what: string,
  limit: number | undefined,
  remaining: number | undefined,
): string[] {
  if (limit === undefined || remaining === undefined) return [];
  const resetMs = Math.ceil(((limit - remaining) / limit) * 60_000);
  return [
    `x-ratelimit-limit-${what}`,
    String(limit),
    `x-ratelimit-remaining-${what}`,
    String(Math.floor(remaining)),
    `x-ratelimit-reset-${what}`,
    goDuration(resetMs),
  ];
}
