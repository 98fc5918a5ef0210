/** A limit may have been raised: when that is tried first, and how much longer later, and at most. */
const FIRST_TRIAL_MS = 7_000;
const INTERVAL_GROWTH = 6;
const LONGEST_INTERVAL_MS = 600_000;
/** One that has fallen may soon be what it was; one that a trial has just found is no higher. */
const FALLEN_TRIAL_MS = 5_000;
const RISEN_TRIAL_MS = 30_000;
/** How far above the limit a trial begins, and how it goes on each second while nothing is refused. */
export const TRIAL_SHARE = 1.05;
export const TRIAL_GROWTH = 1.3;
const STEP_MS = 1_000;
/** One over a whole minute does not show sooner. */
const LONG_STEP_MS = 60_000;
/** A limit that differs by more than this is another one, and may change again soon. */
const NEW_SHARE = 0.1;

/** How a limit was found. */
export interface Settling {
  /** Whether it may be told to people. */
  readonly isLearned: boolean;
  /** Whether a trial has shown that it is still the same. @default false */
  readonly isRepeated?: boolean;
}

/** When a little more than the limit is tried. Times are monotonic milliseconds. */
export class Trials {
  #isOn = false;
  #intervalMs = FIRST_TRIAL_MS;
  #nextAt = Infinity;
  #steppedAt = 0;

  /** Whether more than the limit is being tried. */
  get isOn(): boolean {
    return this.#isOn;
  }

  isDue(now: number): boolean {
    return now >= this.#nextAt;
  }

  /** Whether a trial has gone on for long enough to go further. */
  mayStep(now: number, isLong: boolean): boolean {
    return now - this.#steppedAt >= (isLong ? LONG_STEP_MS : STEP_MS);
  }

  /** The first is due after a while. */
  plan(now: number): void {
    this.#nextAt = now + FIRST_TRIAL_MS;
  }

  step(now: number): void {
    this.#isOn = true;
    this.#steppedAt = this.#nextAt = now;
  }

  stop(): void {
    this.#isOn = false;
  }

  /** Another process tried a little more, and was refused: that need not be tried by each of them. */
  putOff(): void {
    this.#lengthen();
  }

  /** Somebody else has found the limit. */
  adopted(now: number): void {
    this.#isOn = false;
    this.#nextAt = now + this.#intervalMs;
  }

  /**
   * A limit was found, or found to be the same.
   *
   * @param before the limit until now; 0 where there was none.
   */
  settled(limit: number, before: number, now: number, how: Settling): void {
    this.#isOn = false;
    if (isOther(limit, before)) this.#intervalMs = firstInterval(limit, before);
    else if (how.isRepeated) this.#lengthen();
    this.#nextAt = now + this.#intervalMs;
  }

  #lengthen(): void {
    this.#intervalMs = Math.min(LONGEST_INTERVAL_MS, this.#intervalMs * INTERVAL_GROWTH);
  }
}

function firstInterval(limit: number, before: number): number {
  if (before === 0) return FIRST_TRIAL_MS;
  return limit < before ? FALLEN_TRIAL_MS : RISEN_TRIAL_MS;
}

/** Whether two limits differ by more than measuring does. */
export function isOther(limit: number, before: number): boolean {
  return Math.abs(limit / before - 1) > NEW_SHARE;
}
