import type { Admitted } from "./admitted.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
/** Within such a stretch a limit per second shows. */
const SHORT_STRETCHES_MS = [SECOND_MS, 2_000, 5_000, 10_000];
/** Fewer units than these tell no rate. */
const FEWEST_UNITS = 10;
/** What is measured again within this is the same. */
const SAME_SHARE = 0.05;
/** A limit refuses most of what comes too soon; a bad channel refuses a few calls among many. */
const LIMIT_SHARE = 0.6;
/** What is measured once may be chance, or the end of something longer than a second. */
const FEWEST_BURSTS = 2;
const FEWEST_REFUSALS = 4;
/** A limit refuses once it is reached. When more than this of it was let in, it was not reached. */
const OVERSTEPPED = 1.25;

/** A burst of refusals, until a call is let in again. */
export interface Burst {
  readonly at: number;
  /** When the burst before began, or the first call was sent. */
  readonly since: number;
  /** Units that were let in since then. */
  unitsBefore: number;
  /** The first call that was refused and those that were sent after it, until the refusal was known. */
  readonly calls: number;
  /** How many of them were refused. */
  refused: number;
  /** Units per minute, where the refusal names the limit. */
  readonly told: number | null;
  /** Bursts without a single call let in between, up to this one. */
  readonly inARow: number;
  /** Units of the minute before the first of those. */
  readonly minuteBefore: number | null;
}

/** Units that were let in lately. */
export interface Pace {
  readonly perMinute: number;
  readonly units: number;
}

/** Units let in until the burst; null where too few were to tell, or a pause lies among them. */
export function paceBefore(burst: Burst, admitted: Admitted): Pace | null {
  for (const stretch of SHORT_STRETCHES_MS) {
    // A limit per second counts what came before a pause, too; over more, a pause tells too little.
    if (stretch > SECOND_MS && burst.at - stretch < burst.since) return null;
    const units = admitted.within(stretch, burst.at);
    if (units >= FEWEST_UNITS) return { perMinute: (units * MINUTE_MS) / stretch, units };
  }
  return null;
}

/**
 * Tells a limit per second from chance: a limit lets in the same amount again and again, and then
 * refuses nearly everything. What was let in at that pace for long is none.
 */
export class Suspicion {
  #perMinute: number | null = null;
  #bursts = 0;
  #calls = 0;
  #refused = 0;

  /** @returns whether the bursts up to this one are a limit beyond doubt. */
  confirmedBy(burst: Burst, pace: Pace | null): boolean {
    if (pace === null || burst.inARow > 1 || burst.unitsBefore > OVERSTEPPED * pace.units) {
      this.clear();
      return false;
    }
    const before = this.#perMinute;
    if (before === null || Math.abs(pace.perMinute / before - 1) > SAME_SHARE) this.clear();
    this.#perMinute = pace.perMinute;
    this.#bursts += 1;
    this.#calls += burst.calls;
    this.#refused += burst.refused;
    const isEnough = this.#bursts >= FEWEST_BURSTS && this.#refused >= FEWEST_REFUSALS;
    return isEnough && this.#refused >= LIMIT_SHARE * this.#calls;
  }

  clear(): void {
    this.#perMinute = null;
    this.#bursts = 0;
    this.#calls = 0;
    this.#refused = 0;
  }
}
