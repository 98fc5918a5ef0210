import { type Admitted, LONGEST_STRETCH_MS } from "./admitted.ts";
import { type Burst, Bursts, type Refusal } from "./burst.ts";
import { FEWEST_UNITS, type Pace, paceBefore } from "./pace.ts";
import { Suspicion } from "./suspicion.ts";
import { isOther } from "./trials.ts";

/** So often in a row not even a pause has helped: the limit is one over a whole minute. */
const FEWEST_IN_A_ROW = 5;
/** A limit of which more than this was let in within a minute is not the one that refuses. */
export const EXCEEDED_SHARE = 1.15;
/** A limit that less than this was ever used of has held nothing back. */
export const REACHED_SHARE = 0.8;

/** What a burst of refusals says of a limit. */
export interface Lesson {
  readonly burst: Burst;
  /** Whether a call was let in after it. */
  readonly isOver: boolean;
  /** Units per minute that were let in at last. */
  readonly measured: number;
  /** Units per minute that are allowed; null where it may have been chance. */
  readonly found: number | null;
  /** Whether what was found may be told to people. */
  readonly isSure: boolean;
  /** Whether it holds for whole minutes rather than for seconds. */
  readonly isLong: boolean;
}

/** Learns of a limit from what is let in and what is refused. */
export class Refusals {
  readonly #admitted: Admitted;
  readonly #bursts: Bursts;
  readonly #suspicion: Suspicion;
  /** Units of the minute before the last burst. */
  #minuteRefused = 0;

  /** @param known what was beyond doubt before, in units per minute; null where nothing was. */
  constructor(admitted: Admitted, known: number | null, now: number) {
    this.#admitted = admitted;
    this.#suspicion = new Suspicion(known);
    this.#bursts = new Bursts(admitted, now);
  }

  /** Whether nothing has been let in since the last refusal. */
  get areGoingOn(): boolean {
    return this.#bursts.isGoingOn;
  }

  sent(units: number): void {
    this.#bursts.sent(units);
  }

  takeBack(sentAt: number, units: number): void {
    this.#bursts.takeBack(sentAt, units);
  }

  /**
   * A call was refused.
   *
   * @param kept units per minute that were kept to; null where nothing held them back.
   * @returns what the burst before says, where this call begins another one.
   */
  refused(refusal: Refusal, kept: number | null): Lesson | null {
    // Refusals come at once: what was sent since the last one and has none yet was let in.
    const isOver = !this.#bursts.isBarren;
    const before = this.#bursts.refused(refusal);
    return before === null ? null : this.#learn(before, kept, isOver);
  }

  /** @returns what the burst says that this ends. */
  letIn(sentAt: number, kept: number | null): Lesson | null {
    this.#suspicion.letIn();
    const burst = this.#bursts.letIn(sentAt);
    return burst === null ? null : this.#learn(burst, kept, true);
  }

  /** What the last refusals mean is known. */
  settled(): void {
    this.#bursts.settled();
  }

  /** More than was suspected to be the limit was let in. */
  refuted(): void {
    this.#suspicion.clear();
  }

  #learn(burst: Burst, kept: number | null, isOver: boolean): Lesson {
    const pace = paceBefore(this.#admitted, burst.at, burst.since);
    const lesson = { burst, isOver, measured: pace?.perMinute ?? 0 };
    if (this.#isLong(burst)) {
      return { ...lesson, found: burst.minuteBefore, isSure: true, isLong: true };
    }
    const found = isOver ? this.#suspicion.weigh(burst, { pace, kept }) : null;
    const isOfMinute = this.#isOfMinute(burst, pace);
    return {
      ...lesson,
      found: found?.perMinute ?? null,
      isSure: found !== null && found.isSure && !isOfMinute,
      isLong: false,
    };
  }

  /** Not even ever longer pauses have helped, and chance does not refuse so many calls in a row. */
  #isLong({ minuteBefore, inARow, refusedBefore, refused }: Burst): boolean {
    return (
      // Where next to nothing was let in before either, there is nothing to go by.
      (minuteBefore ?? 0) >= FEWEST_UNITS &&
      inARow >= FEWEST_IN_A_ROW &&
      this.#suspicion.isSure(refusedBefore + refused - 1)
    );
  }

  /** Whether what looks like a limit per second may be the rest of one over a minute. */
  #isOfMinute({ at }: Burst, pace: Pace | null): boolean {
    const minute = this.#admitted.within(LONGEST_STRETCH_MS, at);
    const isSame = !isOther(minute, this.#minuteRefused);
    this.#minuteRefused = minute;
    const share = minute / (pace?.perMinute ?? 0);
    return share > EXCEEDED_SHARE || (isSame && share < REACHED_SHARE);
  }
}
