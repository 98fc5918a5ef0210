import { isOther } from "./trials.ts";

/** A limit that was only measured may be a little lower, and a refusal that names none costs more. */
const MEASURED_SHARE = 0.985;
/** Another process that changed its rate by less than this has tried a little more, or stopped to. */
const TRIAL_REACH = 1.2;

/** A limit as far as it is known, and the rate that is used of it. All of it per minute. */
export class LimitInUse {
  readonly #usedShare: number;
  /** What the user allows at most; null where nobody said. */
  #most: number | null;
  /** The limit as named or measured. */
  #limit: number | null;
  /** The limit when it was last beyond doubt. */
  #certain: number | null;
  #rate: number | null;
  /** The limit that the gateway named last. */
  #told: number | null = null;
  #isLearned = false;

  /** @param usedShare how much of a limit is to be used: what leaves evenly does not arrive quite so. */
  constructor(usedShare: number, most: number | null, learned: number | null) {
    this.#usedShare = usedShare;
    this.#most = most;
    this.#limit = learned === null ? most : Math.min(learned, most ?? Infinity);
    this.#certain = this.#limit;
    this.#rate = this.kept;
  }

  get limit(): number | null {
    return this.#limit;
  }

  get certain(): number {
    return this.#certain ?? 0;
  }

  /** The limit, where it held this run back and may be told to people; else null. */
  get learned(): number | null {
    return this.#isLearned ? this.#certain : null;
  }

  get rate(): number | null {
    return this.#rate;
  }

  /** The rate when nothing more is tried. */
  get kept(): number | null {
    return this.#limit === null ? null : this.#limit * this.#usedShare;
  }

  /** The highest rate that the user allows. */
  get mostRate(): number {
    return (this.#most ?? Infinity) * this.#usedShare;
  }

  /** @returns false where that changes nothing. */
  allow(most: number | null): boolean {
    const before = this.#most;
    if (most === before) return false;
    this.#most = most;
    if (most === null) return true;
    if (this.#limit === null || this.#limit > most || this.#limit === before) {
      this.#limit = this.#certain = most;
      this.#rate = this.kept;
    }
    return true;
  }

  /** The limit that the gateway named last. */
  get told(): number | null {
    return this.#told;
  }

  /** The gateway names it. */
  believe(told: number, isLearned: boolean): number {
    this.#told = told;
    return this.settleOn(told, isLearned);
  }

  /** @returns the limit before; 0 where there was none. */
  settleOn(limit: number, isLearned: boolean): number {
    const before = this.#limit ?? 0;
    this.#limit = this.#certain = Math.min(Math.max(1, limit), this.#most ?? Infinity);
    const share = limit === this.#told ? 1 : MEASURED_SHARE;
    this.#rate = this.#limit * this.#usedShare * share;
    this.#isLearned = isLearned;
    return before;
  }

  /** Settles on a limit that is no other one, as far as one knows. */
  stayAt(limit: number, isLearned: boolean): number {
    const certain = Math.max(limit, this.certain);
    const before = this.settleOn(limit, isLearned);
    this.#certain = certain;
    return before;
  }

  /** Goes beyond the limit, as far as the user allows. */
  tryRate(rate: number): void {
    this.#rate = Math.min(this.mostRate, rate);
  }

  /**
   * A trial got this far, and nothing was refused: the limit may be any higher one.
   *
   * @returns the limit before.
   */
  riseTo(rate: number): number {
    this.#told = null;
    const before = this.settleOn(rate, false);
    this.#rate = rate;
    return before;
  }

  /**
   * Another process that uses the account goes by this rate.
   *
   * @returns whether that one has tried a little more in vain.
   */
  adopt(rate: number): boolean {
    const [before, limit] = [this.#rate ?? 0, this.#limit ?? 0];
    this.tryRate(rate);
    // What it only tries is no other limit yet.
    if (rate > before && rate <= before * TRIAL_REACH) return false;
    this.#limit = this.#certain = (this.#rate ?? 0) / this.#usedShare;
    this.#isLearned &&= !isOther(this.#limit, limit);
    return rate < before && rate * TRIAL_REACH > before;
  }
}
