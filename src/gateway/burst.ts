import { type Admitted, LONGEST_STRETCH_MS } from "./admitted.ts";

/** A call that was refused, perhaps because of a limit. Times are monotonic milliseconds. */
export interface Refusal {
  readonly now: number;
  readonly sentAt: number;
  /** What it would have used of the limit. */
  readonly units: number;
  /** Calls that had been sent after it by now. */
  readonly sentAfter: number;
  /** Units per minute, where the refusal names the limit. */
  readonly told: number | null;
  /** False for the other refusals of one burst. */
  readonly isNews: boolean;
}

/** Refusals until a call is let in again, or the first call that tries that is refused too. */
export interface Burst {
  readonly at: number;
  /** When the burst before began, or the first call was sent. */
  readonly since: number;
  /** Units of the call that was refused first. */
  readonly units: number;
  /** The first call that was refused and those that were sent after it, until the refusal was known. */
  readonly calls: number;
  /** How many of them were refused. */
  readonly refused: number;
  /** Units per minute, where the refusal names the limit. */
  readonly told: number | null;
  /** Bursts without a single call let in between, up to this one. */
  readonly inARow: number;
  /** Calls that were refused in them, without those of this burst. */
  readonly refusedBefore: number;
  /** Units of the minute before the first of them; null where this one is the first. */
  readonly minuteBefore: number | null;
}

/** Puts refusals together to bursts. */
export class Bursts {
  readonly #admitted: Admitted;
  #last: Burst | null = null;
  #lastAt: number;
  /** Units let in since the last burst began. */
  #since = 0;

  constructor(admitted: Admitted, now: number) {
    this.#admitted = admitted;
    this.#lastAt = now;
  }

  /** Whether nothing has been let in since the last refusal. */
  get isGoingOn(): boolean {
    return this.#last !== null;
  }

  /** Whether nothing has been let in since the last burst began. */
  get isBarren(): boolean {
    return this.#since < 1;
  }

  sent(units: number): void {
    this.#since = Math.max(0, this.#since + units);
  }

  takeBack(sentAt: number, units: number): void {
    if (sentAt >= this.#lastAt) this.#since = Math.max(0, this.#since - units);
  }

  /** @returns the burst before, where this refusal is the first of another one. */
  refused({ now, units, sentAfter, told, isNews }: Refusal): Burst | null {
    const last = this.#last;
    if (!isNews) {
      if (last !== null) {
        this.#last = { ...last, refused: last.refused + 1 };
      }
      return null;
    }
    const before = this.isBarren ? last : null;
    this.#last = {
      at: now,
      since: this.#lastAt,
      units,
      calls: 1 + sentAfter,
      refused: 1,
      told,
      inARow: 1 + (before?.inARow ?? 0),
      refusedBefore: before === null ? 0 : before.refusedBefore + before.refused,
      minuteBefore:
        before === null
          ? null
          : (before.minuteBefore ?? this.#admitted.within(LONGEST_STRETCH_MS, before.at)),
    };
    this.#since = 0;
    this.#lastAt = now;
    return last;
  }

  /** A call was let in that was sent then. @returns the burst that this has ended. */
  letIn(sentAt: number): Burst | null {
    const last = this.#last;
    if (last === null || sentAt <= last.at) return null;
    this.#last = null;
    return last;
  }

  /** What the last refusals mean is known. */
  settled(): void {
    this.#last = null;
  }
}
