import type { Refusal } from "./burst.ts";
import { LimitInUse } from "./limit-in-use.ts";
import { EXCEEDED_SHARE, type Lesson, Refusals } from "./refusals.ts";
import { Traffic } from "./traffic.ts";
import { type Settling, TRIAL_GROWTH, TRIAL_SHARE, Trials } from "./trials.ts";

/** A refusal although so little of the limit was used has another cause. */
const SURPRISING_SHARE = 0.7;
/** Refusals that may be nobody's limit take no more of the rate than this leaves. */
const DOUBTFUL_FLOOR = 0.97;
/** A trial that got this far has shown that the limit has risen. */
const RISEN_SHARE = 1.1;

/**
 * Finds how many units (requests or tokens) a minute an account allows, and what rate to use.
 * A limit that somebody named is used at once; one that nobody named shows when it refuses: it is
 * what was let in until then. Single refusals show none. From time to time a little more is tried.
 */
export class RateFinder {
  readonly #traffic = new Traffic();
  readonly #refusals: Refusals;
  readonly #trials = new Trials();
  readonly #inUse: LimitInUse;
  /** Whether the limit holds for whole minutes rather than for seconds. */
  #isLong = false;

  /**
   * @param usedShare how much of a limit is to be used.
   * @param most units per minute that the user allows at most; null where nobody said.
   * @param learned what an earlier run found.
   * @param now monotonic milliseconds.
   */
  constructor(usedShare: number, most: number | null, learned: number | null, now: number) {
    this.#inUse = new LimitInUse(usedShare, most, learned);
    this.#refusals = new Refusals(this.#traffic.admitted, learned, now);
    if (learned !== null) this.#trials.plan(now);
  }

  /**
   * The user allows so many units per minute from now on. Where nobody says so any more, what was
   * said is where the search begins.
   */
  allow(most: number | null, now: number): void {
    if (!this.#inUse.allow(most)) return;
    if (most === null) this.#trials.plan(now);
    else this.#trials.stop();
  }

  /** Units per minute to be used now; null as long as no limit is known. */
  get rate(): number | null {
    return this.#inUse.rate;
  }

  /** Units per minute that the account allows, where that held this run back; else null. */
  get learned(): number | null {
    return this.#inUse.learned;
  }

  /** Units per minute to be used at most, as the user allows; null where the user did not say. */
  get most(): number | null {
    const { mostRate } = this.#inUse;
    return mostRate === Infinity ? null : mostRate;
  }

  sent(now: number, units: number): void {
    this.#traffic.sent(now, units);
    this.#refusals.sent(units);
  }

  /** Others that use the account have sent so much since then: it uses up the same limit. */
  sentByOthers(since: number, now: number, units: number): void {
    this.#traffic.admitted.spread(since, now, units);
    this.#refusals.sent(units);
  }

  /** Units sent since this was asked last. */
  tell(): number {
    return this.#traffic.tell();
  }

  /** Units of a call that were not used after all. */
  takeBack(sentAt: number, units: number): void {
    this.#traffic.takeBack(sentAt, units);
    this.#refusals.takeBack(sentAt, units);
  }

  /**
   * A call was refused, perhaps because of this limit.
   *
   * @returns false where the last burst had nothing to do with this limit, as far as one can tell.
   */
  refused(refusal: Refusal): boolean {
    const { now, sentAt, units, told, isNews } = refusal;
    this.takeBack(sentAt, units);
    const lesson = this.#refusals.refused(refusal, this.#inUse.kept);
    const isExplained = lesson === null || this.#learn(lesson) || !lesson.isOver;
    if (isNews && told !== null && this.#isCredible(told, now)) {
      this.#refusals.settled();
      this.#believe(told, now);
    }
    return isExplained;
  }

  /**
   * A call was let in, whatever its answer says.
   *
   * @returns false when that ends a burst of refusals that had nothing to do with this limit.
   */
  letIn(sentAt: number): boolean {
    const lesson = this.#refusals.letIn(sentAt, this.#inUse.kept);
    return lesson === null || this.#learn(lesson);
  }

  /** Another process that uses the account goes by another rate. */
  adopt(rate: number, now: number): void {
    // What it tried in vain need not be tried by each of them.
    if (this.#inUse.adopt(rate)) this.#trials.putOff();
    this.#trials.adopted(now);
  }

  /** Calls wait because of this rate: tries a higher one now and then. */
  pressed(now: number): void {
    const { rate, limit, mostRate } = this.#inUse;
    if (rate === null || limit === null || rate >= mostRate || !this.#trials.isDue(now)) return;
    // As long as nothing is let in, or less than the rate, there is nothing more to be had.
    if (this.#refusals.areGoingOn || !this.#traffic.uses(rate, now)) return;
    if (!this.#trials.isOn) this.#inUse.tryRate(Math.max(rate, limit * TRIAL_SHARE));
    else if (this.#trials.mayStep(now, this.#isLong)) {
      if (this.#hasRisen(rate, limit, now)) this.#riseTo(rate, now);
      this.#inUse.tryRate(rate * TRIAL_GROWTH);
    } else return;
    this.#trials.step(now);
  }

  /** Whether a trial has shown that the limit is higher now; one over a minute takes a minute. */
  #hasRisen(rate: number, limit: number, now: number): boolean {
    const risen = limit * RISEN_SHARE;
    return rate > risen && (!this.#isLong || this.#traffic.withinMinute(now) > risen);
  }

  #riseTo(rate: number, now: number): void {
    this.#trials.settled(rate, this.#inUse.riseTo(rate), now, { isLearned: false });
    this.#refusals.refuted();
    this.#isLong = false;
  }

  /** Whether a limit that the gateway names is news, and may be the one that holds. */
  #isCredible(told: number, now: number): boolean {
    const { limit, told: before } = this.#inUse;
    if (told === before) return false;
    if (this.#traffic.withinMinute(now) > told * EXCEEDED_SHARE) return false;
    return limit === null || told <= limit || this.#traffic.reaches(told, now);
  }

  #believe(told: number, now: number): void {
    const isLearned = this.#traffic.reaches(told, now);
    const before = this.#inUse.believe(told, isLearned);
    this.#trials.settled(told, before, now, { isLearned });
  }

  /** @returns whether a burst of refusals had to do with this limit. */
  #learn(lesson: Lesson): boolean {
    const { found, burst } = lesson;
    const { limit, certain } = this.#inUse;
    const measured = this.#isLong ? this.#traffic.withinMinute(burst.at) : lesson.measured;
    const isSurprising = limit === null || measured < limit * SURPRISING_SHARE;
    const isLearned = this.learned !== null || (!isSurprising && lesson.isSure);
    if (this.#trials.isOn && limit !== null && !(isSurprising && found !== null)) {
      this.#endTrial(limit, measured, lesson, isLearned);
    } else if (found !== null) this.#settleOnFound(found, lesson);
    else if (!isSurprising && limit !== this.#inUse.told) {
      const doubtful = Math.max(certain * DOUBTFUL_FLOOR, Math.min(measured, limit));
      this.#stayAt(doubtful, burst.at, { isLearned });
    } else return false;
    return true;
  }

  /** What was let in during a trial is no more than the limit, and shows when that has risen. */
  #endTrial(limit: number, measured: number, { burst }: Lesson, isLearned: boolean): void {
    const { at, told } = burst;
    const isHigher = measured > limit * TRIAL_SHARE;
    if (isHigher) this.#settleOn(Math.min(measured, told ?? Infinity), at, { isLearned });
    else this.#stayAt(limit, at, { isRepeated: true, isLearned });
  }

  #settleOnFound(found: number, { burst, isLong, isSure }: Lesson): void {
    this.#isLong = isLong;
    const { at, told } = burst;
    // Far below the limit as named: others use the account too, and leave this much.
    const isTold = told !== null && Math.abs(found / told - 1) <= 1 - SURPRISING_SHARE;
    if (isTold) this.#believe(told, at);
    else this.#settleOn(found, at, { isLearned: isSure });
  }

  #settleOn(limit: number, now: number, how: Settling): void {
    const before = this.#inUse.settleOn(limit, how.isLearned);
    this.#trials.settled(limit, before, now, how);
  }

  #stayAt(limit: number, now: number, how: Settling): void {
    const before = this.#inUse.stayAt(limit, how.isLearned);
    this.#trials.settled(limit, before, now, how);
  }
}
