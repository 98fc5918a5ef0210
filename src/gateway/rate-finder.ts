import { Admitted, LONGEST_STRETCH_MS } from "./admitted.ts";
import { type Burst, paceBefore, Suspicion } from "./suspicion.ts";

const MINUTE_MS = 60_000;
/** A limit that was only measured may be a little lower. */
const MEASURED_SHARE = 0.99;
/** So often in a row not even a pause has helped: the limit is one over a whole minute. */
const FEWEST_IN_A_ROW = 5;
/** A limit that is named holds only if no more than this above it was let in within a minute. */
const EXCEEDED_SHARE = 1.15;
/** A limit that less than this was ever used of has held nothing back. */
const REACHED_SHARE = 0.8;
/** A refusal although so little of the limit was used has another cause. */
const SURPRISING_SHARE = 0.7;
/** Refusals that may be nobody's limit take no more of the rate than this leaves. */
const DOUBTFUL_FLOOR = 0.9;
/** Units that must be expected in a stretch to tell from it whether a rate is used. */
const EXPECTED_UNITS = 10;
const SHORTEST_STRETCH_MS = 1_000;
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

/**
 * Finds how many units (requests or tokens) a minute an account allows, and what rate to use.
 * A limit that somebody named is used at once; one that nobody named shows when it refuses: it is
 * what was let in until then. Single refusals show none. From time to time a little more is tried.
 */
export class RateFinder {
  #most: number | null;
  readonly #usedShare: number;
  readonly #admitted = new Admitted();
  readonly #suspicion = new Suspicion();
  /** The limit as named or measured. */
  #limit: number | null;
  #rate: number | null;
  /** The limit when it was last beyond doubt. */
  #certain: number | null;
  /** The highest limit of this run. */
  #highest = 0;
  #learned = false;
  /** The limit that the gateway named last. */
  #told: number | null = null;
  #burst: Burst | null = null;
  /** Units sent since the last burst of refusals began, which was at that time. */
  #sinceRefusal = 0;
  /** Units that nobody else has been told of. */
  #untold = 0;
  #refusedAt: number;
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
    this.#refusedAt = now;
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

  /** Units per minute that the account allows, where that held this run back; else null. */
  get learned(): number | null {
    return this.#learned ? this.#certain : null;
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
   * @param sentAfter calls that had been sent after it by now.
   * @param told units per minute, where the refusal names the limit.
   * @param isNews false for the other refusals of one burst.
   * @returns false where the last burst had nothing to do with this limit, as far as one can tell.
   */
  refused(call: {
    readonly now: number;
    readonly sentAt: number;
    readonly units: number;
    readonly sentAfter: number;
    readonly told: number | null;
    readonly isNews: boolean;
  }): boolean {
    const { now, sentAt, units, sentAfter, told, isNews } = call;
    this.takeBack(sentAt, units);
    if (!isNews) {
      if (this.#burst !== null) {
        this.#burst.refused += 1;
        this.#burst.unitsBefore -= units;
      }
      return true;
    }
    const before = this.#sinceRefusal < 1 ? this.#burst : null;
    const explained = this.#conclude(false);
    this.#burst = {
      at: now,
      since: this.#refusedAt,
      unitsBefore: this.#sinceRefusal,
      calls: 1 + sentAfter,
      refused: 1,
      told,
      inARow: 1 + (before?.inARow ?? 0),
      minuteBefore:
        before === null
          ? null
          : (before.minuteBefore ?? this.#within(LONGEST_STRETCH_MS, before.at)),
    };
    this.#sinceRefusal = 0;
    this.#refusedAt = now;
    if (told !== null && this.#isCredible(told, now)) {
      this.#burst = null;
      this.#believe(told, now);
    }
    return explained;
  }

  /**
   * A call was let in, whatever its answer says.
   *
   * @returns false when that ends a burst of refusals that had nothing to do with this limit.
   */
  letIn(sentAt: number): boolean {
    if (this.#burst === null || sentAt <= this.#burst.at) return true;
    return this.#conclude(true);
  }

  /** Another process that uses the account goes by another rate. */
  adopt(rate: number, now: number): void {
    const before = this.#rate ?? 0;
    // It tried a little more, and was refused: that need not be tried by each of them.
    const isTakenBack = rate < before && rate * RISEN_SHARE > before;
    if (isTakenBack) this.#trySeldomer(TRIAL_INTERVAL_GROWTH);
    this.#rate = Math.min(rate, this.most ?? Infinity);
    const limit = this.#rate / this.#usedShare;
    this.#learned &&= Math.abs(limit / (this.#limit ?? 0) - 1) <= NEW_SHARE;
    this.#limit = this.#certain = limit;
    this.#isTrial = false;
    this.#nextTrialAt = now + this.#trialAfterMs;
  }

  /** Calls wait because of this rate: tries a higher one now and then. */
  pressed(now: number): void {
    if (this.#rate === null || this.#limit === null) return;
    // As long as nothing is let in, or less than the rate, there is nothing more to be had.
    if (now < this.#nextTrialAt || this.#burst !== null || !this.#isUsed(this.#rate, now)) return;
    const most = this.most ?? Infinity;
    if (this.#rate >= most) return;
    if (!this.#isTrial) {
      this.#isTrial = true;
      this.#rate = Math.min(most, this.#limit * TRIAL_SHARE);
      this.#steppedAt = now;
    } else if (now - this.#steppedAt >= TRIAL_STEP_MS) {
      if (this.#hasRisen(now)) {
        this.#settleOn(this.#rate, 1 / this.#usedShare, now);
        // Nothing was refused: the limit may be any higher one.
        this.#learned = this.#isLong = false;
        this.#told = null;
      }
      this.#isTrial = true;
      this.#rate = Math.min(most, this.#rate * TRIAL_GROWTH);
      this.#steppedAt = now;
      this.#nextTrialAt = now;
    }
  }

  /** Whether a trial has shown that the limit is higher now; one over a minute takes a minute. */
  #hasRisen(now: number): boolean {
    const [rate, limit] = [this.#rate ?? 0, (this.#limit ?? 0) * RISEN_SHARE];
    return rate > limit && (!this.#isLong || this.#within(LONGEST_STRETCH_MS, now) > limit);
  }

  #isUsed(rate: number, now: number): boolean {
    const stretch = Math.max(SHORTEST_STRETCH_MS, (EXPECTED_UNITS * MINUTE_MS) / rate);
    const ms = Math.min(LONGEST_STRETCH_MS, stretch);
    return (this.#within(ms, now) * MINUTE_MS) / ms >= rate * REACHED_SHARE;
  }

  /** Whether a limit that the gateway names is news, and may be the one that holds. */
  #isCredible(told: number, now: number): boolean {
    if (told === this.#told || this.#within(LONGEST_STRETCH_MS, now) > told * EXCEEDED_SHARE) {
      return false;
    }
    return this.#limit === null || told <= this.#limit || this.#isReached(told, now);
  }

  #isReached(told: number, now: number): boolean {
    const isFull = this.#within(LONGEST_STRETCH_MS, now) >= told * REACHED_SHARE;
    return isFull || this.#isUsed(told, now);
  }

  #believe(told: number, now: number): void {
    this.#told = told;
    this.#settleOn(told, 1, now);
    this.#learned = this.#isReached(told, now);
  }

  /**
   * Judges the last burst of refusals.
   *
   * @param isOver whether a call was let in after it.
   */
  #conclude(isOver: boolean): boolean {
    const burst = this.#burst;
    this.#burst = null;
    if (burst === null) return true;
    const { at, told, inARow, minuteBefore } = burst;
    const pace = paceBefore(burst, this.#admitted);
    const isClear = isOver && this.#suspicion.confirmedBy(burst, pace);
    // Where nothing was let in before either, there is nothing to go by.
    const isLong = (minuteBefore ?? 0) >= 1 && inARow >= FEWEST_IN_A_ROW;
    const found = isLong ? minuteBefore : isClear ? (pace?.perMinute ?? null) : null;
    const measured = this.#isLong ? this.#within(LONGEST_STRETCH_MS, at) : (pace?.perMinute ?? 0);
    const isSurprising = measured < (this.#limit ?? Infinity) * SURPRISING_SHARE;
    if (this.#isTrial && this.#limit !== null && !(isSurprising && found !== null)) {
      // What was let in during a trial is no more than the limit, and shows when that has risen.
      const isNear = (this.#rate ?? 0) <= this.#limit * RISEN_SHARE;
      const isHigher = measured > this.#limit * TRIAL_SHARE;
      if (isHigher) this.#settleOn(Math.min(measured, told ?? Infinity), 1, at, isNear);
      else this.#stayAt(this.#limit, 1, at, isNear);
    } else if (found !== null) {
      this.#isLong = isLong;
      // Far below the limit as named: others use the account too, and leave this much.
      const isTold = told !== null && Math.abs(found / told - 1) <= 1 - SURPRISING_SHARE;
      if (isTold) this.#believe(told, at);
      else this.#settleOn(found, MEASURED_SHARE, at);
    } else if (!isSurprising && this.#limit !== null && this.#limit !== this.#told) {
      const floor = (this.#certain ?? 0) * DOUBTFUL_FLOOR;
      const isLearned = this.#learned;
      this.#stayAt(Math.max(floor, Math.min(measured, this.#limit)), MEASURED_SHARE, at);
      this.#learned = isLearned;
    } else return !isOver && this.#sinceRefusal < 1;
    return true;
  }

  /** Settles on a limit that is no other one, as far as one knows. */
  #stayAt(limit: number, share: number, now: number, repeated = false): void {
    const certain = Math.max(limit, this.#certain ?? 0);
    this.#settleOn(limit, share, now, repeated);
    this.#certain = certain;
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

  #within(ms: number, now: number): number {
    return this.#admitted.within(ms, now);
  }
}
