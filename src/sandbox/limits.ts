import type { Clock } from "../system/clock.ts";
import { goDuration } from "./go-duration.ts";
import { slidingWindow, tokenBucket } from "./meter.ts";
import type { Meter, Reservation } from "./meter.ts";
import { Timeline } from "./timeline.ts";
import type { Slice } from "./timeline.ts";

/** What one key may do, and how it is told when it asks for more. */
export interface Limits {
  /** Requests per minute; 0 refuses every call. */
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
  /** How much of it is taken. */
  readonly used: number;
  /** Null where no waiting helps (larger than the whole limit) or nobody can tell. */
  readonly waitMs: number | null;
}

/** Holds one key to its limits. */
export class Limiter {
  readonly #clock: Clock;
  readonly #timeline: Timeline;
  #limits: Limits;
  #meters: Meters;
  #inFlight = 0;

  constructor(limits: Limits, clock: Clock) {
    this.#clock = clock;
    this.#timeline = new Timeline(clock);
    this.#limits = limits;
    this.#meters = metersFor(limits);
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** From now on other limits hold. What was used before counts no more; who is in is still in. */
  change(limits: Limits): void {
    this.#limits = limits;
    this.#meters = metersFor(limits);
  }

  /** What was let in and what was refused, by tenths of a second. */
  timeline(): Slice[] {
    return this.#timeline.slices();
  }

  /** Lets a request in, unless it comes too soon. Every request let in must `leave`. */
  enter(): Throttled | null {
    const { maxConcurrency, rpm = 0 } = this.#limits;
    if (maxConcurrency !== undefined && this.#inFlight >= maxConcurrency) {
      const used = this.#inFlight;
      return this.#refuse({ limit: "concurrency", allowed: maxConcurrency, used, waitMs: null });
    }
    const taken = this.#meters.requests?.take(this.#clock.now(), 1);
    if (typeof taken === "number") {
      return this.#refuse({ limit: "requests", allowed: rpm, used: rpm, waitMs: taken });
    }
    this.#timeline.entered();
    this.#inFlight += 1;
    return null;
  }

  leave(): void {
    this.#timeline.left();
    this.#inFlight -= 1;
  }

  /** Sets tokens aside; null where tokens are not limited. */
  reserve(tokens: number): Reservation | Throttled | null {
    const meter = this.#meters.tokens;
    const now = this.#clock.now();
    const taken = meter?.take(now, tokens) ?? null;
    if (typeof taken !== "number") {
      this.#timeline.admitted(tokens);
      return taken;
    }
    const { tpm = 0 } = this.#limits;
    const tooLarge = tokens > this.#meters.tokenLimit;
    return this.#refuse({
      limit: "tokens",
      allowed: tpm,
      used: Math.round(tpm - (meter?.remaining(now) ?? 0)),
      waitMs: tooLarge ? null : taken,
    });
  }

  /** Gives back what of a reservation was not used. */
  settle(reservation: Reservation, usedTokens: number): void {
    const unused = Math.max(0, reservation.amount - usedTokens);
    reservation.giveBack(unused);
    this.#timeline.gaveBack(unused);
  }

  /** OpenAI's rate headers as they stand now, in the flat form that Node takes. */
  rateHeaders(): string[] {
    if (this.#limits.rateHeaders !== "openai") return [];
    const now = this.#clock.now();
    return [
      ...describe("requests", this.#limits.rpm, this.#meters.requests?.remaining(now)),
      ...describe("tokens", this.#limits.tpm, this.#meters.tokens?.remaining(now)),
    ];
  }

  /** The header that tells a throttled client when to come back, if this key's answers have one. */
  retryHeaders(waitMs: number | null): string[] {
    const { retryAfter = "none" } = this.#limits;
    if (waitMs === null || retryAfter === "none") return [];
    if (retryAfter === "ms") return ["retry-after-ms", String(Math.ceil(waitMs))];
    if (retryAfter === "seconds") return ["Retry-After", String(Math.ceil(waitMs / 1000))];
    return ["Retry-After", httpDate(this.#clock.now() + waitMs)];
  }

  #refuse(throttled: Throttled): Throttled {
    this.#timeline.refused(throttled.limit);
    return throttled;
  }
}

/** What measures a key's rates; null where a rate is not limited. */
interface Meters {
  readonly requests: Meter | null;
  readonly tokens: Meter | null;
  /** The most tokens that can ever pass at once. */
  readonly tokenLimit: number;
}

function metersFor({ rpm, tpm, windowMs = 60_000, burst }: Limits): Meters {
  const share = windowMs / 60_000;
  const tokenLimit = (tpm ?? 0) * share;
  return {
    requests: rpm === undefined ? null : requestMeter(rpm, share, windowMs, burst),
    tokens: tpm === undefined ? null : slidingWindow(tokenLimit, windowMs),
    tokenLimit,
  };
}

function requestMeter(
  rpm: number,
  share: number,
  windowMs: number,
  burst: number | undefined,
): Meter {
  if (burst !== undefined) return tokenBucket(rpm, burst);
  return slidingWindow(rpm === 0 ? 0 : Math.max(1, rpm * share), windowMs);
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
