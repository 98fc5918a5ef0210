import type { Burst } from "./burst.ts";
import type { Pace } from "./pace.ts";

/** A limit that was reached quickly refuses what comes then; one that is hardly crossed, a part of it. */
const REFUSES = 0.9;
const REFUSES_A_PART = 0.3;
/** Until more is known, one call in ten may be refused by chance; then as many as were, and some more. */
const ASSUMED_CALLS = 10;
const CAUTION = 1.5;
const LEAST_BY_CHANCE = 0.02;
const MOST_BY_CHANCE = 0.5;
/** Calls that tell how often that happens; older ones count less and less. */
const CALLS_KEPT = 300;
/** What is measured again within this share, or within a unit where there are few, is the same. */
const SAME_SHARE = 0.04;
const SAME_SHARE_OF_FEW = 0.2;
/** A limit refuses as soon as it is reached: until then less than this was let in. */
const APPROACHED = 0.85;
/**
 * A limit is used when chance is a thousand times less likely; where none is known, one that has
 * shown twice when it is thirty times less; it is told to people at a hundred thousand times.
 */
const LIKELY = Math.log(1_000);
const LIKELY_WITHOUT = Math.log(30);
const SURE = Math.log(100_000);

/** What refusals say. */
export interface Finding {
  readonly perMinute: number;
  /** Whether it may be told to people. */
  readonly isSure: boolean;
}

/** What was sent until a burst. */
export interface Before {
  /** Units let in; null where too few were to tell. */
  readonly pace: Pace | null;
  /** Units per minute that were kept to; null where nothing held them back. */
  readonly kept: number | null;
}

/**
 * Tells a limit per second from chance. A limit lets in the same amount again and again and refuses
 * all that comes then; a bad channel refuses a few calls among many, wherever they come. Each
 * refusal makes the one or the other more likely.
 */
export class Suspicion {
  #calls = ASSUMED_CALLS;
  #refusals = 1;
  /** What the limit is suspected to be, and how much likelier that is than chance: a logarithm. */
  #suspect: Pace | null = null;
  #likelihood = 0;
  #bursts = 0;

  /** @param known what was beyond doubt before, in units per minute; null where nothing was. */
  constructor(known: number | null = null) {
    if (known === null) return;
    this.#suspect = { perMinute: known, units: known / 60, earlier: 0 };
    this.#likelihood = SURE;
    this.#bursts = 1;
  }

  letIn(): void {
    this.#calls += 1;
    if (this.#calls <= CALLS_KEPT) return;
    this.#calls /= 2;
    this.#refusals /= 2;
  }

  /** Whether chance would not refuse so many calls in a row. */
  isSure(refused: number): boolean {
    return refused * Math.log(REFUSES / this.#byChance) >= SURE;
  }

  /**
   * Weighs a burst of refusals that is over.
   *
   * @returns a limit that is likelier than chance.
   */
  weigh(burst: Burst, before: Before): Finding | null {
    this.#refusals += 1;
    const { pace } = before;
    // A limit per second would let a call in after any pause.
    if (pace === null || burst.inARow > 1) {
      this.clear();
      return null;
    }
    const isSuspected = this.#suspect !== null && isSame(this.#suspect, pace);
    const isReached = pace.earlier <= APPROACHED * pace.units;
    // It is another one, or it would have shown earlier.
    if (!isSuspected || !(isReached || isAbove(before.kept, pace))) this.clear();
    else if (isReached) this.#likelihood += this.#bySameAmount(burst, pace);
    this.#suspect = pace;
    this.#bursts += 1;
    const refuses = isReached ? REFUSES : REFUSES_A_PART;
    const letIn = burst.calls - burst.refused;
    this.#likelihood += (burst.refused - 1) * Math.log(refuses / this.#byChance);
    this.#likelihood += letIn * Math.log((1 - refuses) / (1 - this.#byChance));
    this.#likelihood = Math.max(0, this.#likelihood);
    const hasShownTwice = this.#bursts > 1;
    const enough = before.kept === null && hasShownTwice ? LIKELY_WITHOUT : LIKELY;
    if (this.#likelihood < enough) return null;
    return { perMinute: pace.perMinute, isSure: hasShownTwice && this.#likelihood >= SURE };
  }

  /** How much likelier a limit gets when it lets in nearly the same amount again. */
  #bySameAmount({ units }: Burst, pace: Pace): number {
    const before = this.#suspect?.perMinute ?? 0;
    const calls = pace.units / Math.max(1, units);
    const apart = Math.abs(1 - before / pace.perMinute) * calls;
    const alike = 1 + 2 * Math.max(apart, 1);
    // However many calls chance refuses, it lets in the same number again no oftener than that.
    const atMost = alike / (Math.E * (calls + 1));
    return Math.log(REFUSES / Math.min(REFUSES, this.#byChance * alike, atMost));
  }

  /** The share of all calls that chance refuses. */
  get #byChance(): number {
    const share = (CAUTION * this.#refusals) / this.#calls;
    return Math.min(MOST_BY_CHANCE, Math.max(LEAST_BY_CHANCE, share));
  }

  /** What was suspected does not hold: more was let in. */
  clear(): void {
    this.#suspect = null;
    this.#likelihood = 0;
    this.#bursts = 0;
  }
}

function isSame(one: Pace, other: Pace): boolean {
  const [less, more] = one.perMinute < other.perMinute ? [one, other] : [other, one];
  return 1 - less.perMinute / more.perMinute <= sameShare(more);
}

/** Whether a limit is above what was kept to, as far as one can measure. */
function isAbove(kept: number | null, limit: Pace): boolean {
  return kept !== null && kept * (1 - sameShare(limit)) < limit.perMinute;
}

function sameShare({ units }: Pace): number {
  return Math.max(SAME_SHARE, Math.min(SAME_SHARE_OF_FEW, 1 / units));
}
