import { Admitted, LONGEST_STRETCH_MS } from "./admitted.ts";

const MINUTE_MS = 60_000;
/** A limit that was only measured may be a little lower. */
const MEASURED_SHARE = 0.99;
/** Within such a stretch a limit per second shows. */
const SHORT_STRETCHES_MS = [1_000, 2_000, 5_000, 10_000, LONGEST_STRETCH_MS];
/** Fewer units than these tell no rate. */
const FEWEST_UNITS = 10;
/** After a pause so few were let in that the limit is one over a longer time. */
const NEXT_TO_NONE = 2;
/** A limit refuses most of what comes too soon; a single bad channel refuses one call among many. */
const LIMIT_SHARE = 0.3;
const FEWEST_REFUSALS = 3;
/** What was measured twice is true. */
const SAME_SHARE = 0.15;
/** A refusal although so little of the limit was used has another cause. */
const SURPRISING_SHARE = 0.7;
/** Refusals that may be nobody's limit take no more of the rate than this leaves. */
const DOUBTFUL_FLOOR = 0.85;
/** A limit may have been raised: when that is tried first, and how much longer later, and at most. */
const FIRST_TRIAL_MS = 8_000;
const TRIAL_INTERVAL_GROWTH = 5;
/** A limit that was higher before may be so again, and is tried oftener. */
const FALLEN_SHARE = 0.8;
const FALLEN_INTERVAL_GROWTH = 3;
const LONGEST_TRIAL_INTERVAL_MS = 600_000;
/** How far above the limit a trial begins, and how it goes on each second while nothing is refused. */
const TRIAL_SHARE = 1.05;
const TRIAL_GROWTH = 1.15;
const TRIAL_STEP_MS = 1_000;
/** A limit that differs by more than this is another one, and may change again soon. */
const NEW_SHARE = 0.1;
/** A trial that got this far has shown that the limit has risen. */
const RISEN_SHARE = 1.1;

/** A burst of refusals, until a call is let in again. */
interface Burst {
  readonly at: number;
  /** When the first call of those refused was sent. */
  readonly sentAt: number;
  /** Units that had been let in since the burst before. */
  readonly unitsBefore: number;
  refused: number;
  /** Calls that were sent at the same time or later, and let in. */
  letIn: number;
}

/**
 * Finds how many units (requests or tokens) a minute an account allows, and what rate to use.
 * A limit that somebody named is used at once; one that nobody named shows when it refuses: it is
 * what was let in until then. From time to time a little more is tried.
 */
export class RateFinder {
  #most: number | null;
  readonly #usedShare: number;
  readonly #admitted = new Admitted();
  /** The limit as named or measured. */
  #limit: number | null;
  #rate: number | null;
  /** The limit when it was last beyond doubt. */
  #certain: number | null;
  /** The highest limit of this run. */
  #highest = 0;
  #learned = false;
  #burst: Burst | null = null;
  /** What the last burst that proved nothing had measured. */
  #suspected: number | null = null;
  /** Units sent since the last burst of refusals began, which was at that time. */
  #sinceRefusal = Infinity;
  /** Units that nobody else has been told of. */
  #untold = 0;
  #refusedAt = -Infinity;
  #isLong = false;
  #isTrial = false;
  #trialAfterMs = FIRST_TRIAL_MS;
  #nextTrialAt = Infinity;
  #steppedAt = 0;

  /**
   * @param usedShare how much of a limit is to be used: what leaves evenly does not arrive quite so.
   * @param most units per minute that the user allows at most; null where nobody said.
   * @param learned what an earlier run found.
   * @param now monotonic milliseconds.
   */
  constructor(usedShare: number, most: number | null, learned: number | null, now: number) {
    this.#usedShare = usedShare;
    this.#most = most;
    this.#limit = learned === null ? most : Math.min(learned, most ?? Infinity);
    this.#certain = this.#limit;
    this.#rate = this.#limit === null ? null : this.#limit * this.#usedShare;
    if (learned !== null) this.#nextTrialAt = now + FIRST_TRIAL_MS;
  }

  /**
   * The user allows so many units per minute from now on. Where nobody says so any more, what was
   * said is where the search begins.
   */
  allow(most: number | null, now: number): void {
    const before = this.#most;
    if (most === before) return;
    this.#most = most;
    if (most === null) this.#nextTrialAt = now + FIRST_TRIAL_MS;
    else if (this.#limit === null || this.#limit > most || this.#limit === before) {
      this.#limit = this.#certain = most;
      this.#rate = most * this.#usedShare;
      this.#isTrial = false;
    }
  }

  /** Units per minute to be used now; null as long as no limit is known. */
  get rate(): number | null {
    return this.#rate;
  }

  /** Units per minute that the account allows, as found out during this run; null where nothing was. */
  get learned(): number | null {
    return this.#learned ? this.#limit : null;
  }

  /** Units per minute to be used at most, as the user allows; null where the user did not say. */
  get most(): number | null {
    return this.#most === null ? null : this.#most * this.#usedShare;
  }

  sent(now: number, units: number): void {
    this.#admitted.add(now, units);
    this.#sinceRefusal += units;
    this.#untold += units;
  }

  /** Others that use the account have sent so much since then: it uses up the same limit. */
  sentByOthers(since: number, now: number, units: number): void {
    this.#admitted.spread(since, now, units);
    this.#sinceRefusal = Math.max(0, this.#sinceRefusal + units);
  }

  /** Units sent since this was asked last. */
  tell(): number {
    const untold = this.#untold;
    this.#untold = 0;
    return untold;
  }

  /** Units of a call that were not used after all. */
  takeBack(sentAt: number, units: number): void {
    this.#admitted.add(sentAt, -units);
    this.#untold -= units;
    if (sentAt > this.#refusedAt) this.#sinceRefusal -= units;
  }

  /**
   * A call was refused, perhaps because of this limit.
   *
   * @param units that it had been {@link sent} with.
   * @param told units per minute, where the refusal names the limit.
   * @param isNews false for the other refusals of one burst.
   * @returns false where the last burst had nothing to do with this limit, as far as one can tell.
   */
  refused(call: {
    readonly now: number;
    readonly sentAt: number;
    readonly units: number;
    readonly told: number | null;
    readonly isNews: boolean;
  }): boolean {
    const { now, sentAt, units, told, isNews } = call;
    this.takeBack(sentAt, units);
    if (!isNews) {
      if (this.#burst !== null) this.#burst.refused += 1;
      return true;
    }
    const explained = this.#conclude();
    const burst = { at: now, sentAt, unitsBefore: this.#sinceRefusal, refused: 1, letIn: 0 };
    this.#sinceRefusal = 0;
    this.#refusedAt = now;
    this.#burst = told === null ? burst : null;
    if (told !== null) this.#believe(told, this.#measure(burst), now);
    else this.#nextTrialAt = Math.max(this.#nextTrialAt, now + FIRST_TRIAL_MS);
    return explained;
  }

  /**
   * A call was let in, whatever its answer says.
   *
   * @returns false when that ends a burst of refusals that had nothing to do with this limit.
   */
  letIn(sentAt: number): boolean {
    const burst = this.#burst;
    if (burst === null) return true;
    if (sentAt > burst.at) return this.#conclude();
    if (sentAt >= burst.sentAt) burst.letIn += 1;
    return true;
  }

  /** Another process that uses the account goes by another rate. */
  adopt(rate: number, now: number): void {
    const before = this.#rate ?? 0;
    // It tried a little more, and was refused: that need not be tried by each of them.
    const isTakenBack = rate < before && rate * RISEN_SHARE > before;
    if (isTakenBack) this.#trySeldomer(TRIAL_INTERVAL_GROWTH);
    this.#rate = Math.min(rate, this.most ?? Infinity);
    this.#limit = this.#certain = this.#rate / this.#usedShare;
    this.#isTrial = false;
    this.#nextTrialAt = now + this.#trialAfterMs;
  }

  /** Calls wait because of this rate: tries a higher one now and then. */
  pressed(now: number): void {
    if (this.#rate === null || this.#limit === null) return;
    // As long as nothing is let in at all, there is nothing more to be had.
    if (this.#sinceRefusal <= NEXT_TO_NONE) this.#nextTrialAt = now + this.#trialAfterMs;
    if (now < this.#nextTrialAt) return;
    const most = this.most ?? Infinity;
    if (this.#rate >= most) return;
    if (!this.#isTrial) {
      this.#isTrial = true;
      this.#rate = Math.min(most, this.#limit * TRIAL_SHARE);
      this.#steppedAt = now;
    } else if (now - this.#steppedAt >= TRIAL_STEP_MS) {
      if (this.#rate > this.#limit * RISEN_SHARE) {
        this.#settleOn(this.#rate, 1 / this.#usedShare, now);
      }
      this.#isTrial = true;
      this.#rate = Math.min(most, this.#rate * TRIAL_GROWTH);
      this.#steppedAt = now;
      this.#nextTrialAt = now;
    }
  }

  /** The gateway named its limit. */
  #believe(told: number, measured: number | null, now: number): void {
    // Refused again, far below the limit as named: others use the account too, and leave this much.
    const isShared = told === this.#limit && !this.#isTrial && this.#isSurprising(measured);
    const repeated = this.#isTrial && told === this.#limit;
    this.#settleOn(isShared && measured !== null ? measured : told, 1, now, repeated);
  }

  /** Judges the last burst of refusals, now that it is over. */
  #conclude(): boolean {
    const burst = this.#burst;
    this.#burst = null;
    if (burst === null) return true;
    const { at, refused, letIn } = burst;
    const measured = this.#measure(burst);
    if (measured === null) return this.#rate !== null;
    const isSame =
      this.#suspected !== null && Math.abs(measured / this.#suspected - 1) < SAME_SHARE;
    const isEnough = isSame || refused >= FEWEST_REFUSALS || (refused > 1 && letIn === 0);
    const isClear = isEnough && refused >= LIMIT_SHARE * (refused + letIn);
    if (this.#isTrial && this.#limit !== null && !this.#isSurprising(measured)) {
      // What was let in during a trial is no more than the limit, and shows when that has risen.
      const isNear = (this.#rate ?? 0) <= this.#limit * RISEN_SHARE;
      const isHigher = measured > this.#limit * TRIAL_SHARE;
      this.#settleOn(isHigher ? measured : this.#limit, 1, at, isNear);
    } else if (this.#isLong || isClear) {
      this.#suspected = null;
      this.#settleOn(measured, MEASURED_SHARE, at);
    } else if (this.#limit === null || this.#isSurprising(measured)) {
      this.#suspected = measured;
      return false;
    } else {
      const floor = (this.#certain ?? 0) * DOUBTFUL_FLOOR;
      const certain = this.#certain;
      this.#settleOn(Math.max(floor, Math.min(measured, this.#limit)), MEASURED_SHARE, at);
      this.#certain = certain;
    }
    return true;
  }

  #settleOn(limit: number, share: number, now: number, repeated = false): void {
    const before = this.#limit ?? 0;
    this.#limit = Math.min(Math.max(1, limit), this.#most ?? Infinity);
    this.#certain = this.#limit;
    this.#rate = this.#limit * this.#usedShare * share;
    this.#learned = true;
    this.#isTrial = false;
    const isNew = Math.abs(this.#limit / before - 1) > NEW_SHARE;
    this.#highest = Math.max(this.#highest, this.#limit);
    const hasFallen = this.#limit < this.#highest * FALLEN_SHARE;
    const growth = hasFallen ? FALLEN_INTERVAL_GROWTH : TRIAL_INTERVAL_GROWTH;
    // One that has just been found by a trial need not be tried again so soon.
    if (isNew)
      this.#trialAfterMs = FIRST_TRIAL_MS * (this.#limit > before && before > 0 ? growth : 1);
    else if (repeated) this.#trySeldomer(growth);
    this.#nextTrialAt = now + this.#trialAfterMs;
  }

  #trySeldomer(growth: number): void {
    this.#trialAfterMs = Math.min(LONGEST_TRIAL_INTERVAL_MS, this.#trialAfterMs * growth);
  }

  #isSurprising(measured: number | null): boolean {
    return measured !== null && this.#limit !== null && measured < this.#limit * SURPRISING_SHARE;
  }

  /** Units per minute that were let in until the burst; null where too few were to tell. */
  #measure({ at, unitsBefore }: Burst): number | null {
    if (unitsBefore <= NEXT_TO_NONE) {
      // Even a pause did not help: what counts are all units of a minute. Those before the pause
      // are among them only at the first such refusal.
      if (this.#isLong) return null;
      this.#isLong = true;
    }
    if (this.#isLong) return this.#admitted.within(LONGEST_STRETCH_MS, at) || null;
    for (const stretch of SHORT_STRETCHES_MS) {
      const units = this.#admitted.within(stretch, at);
      if (units >= FEWEST_UNITS) return (units * MINUTE_MS) / stretch;
    }
    return null;
  }
}
