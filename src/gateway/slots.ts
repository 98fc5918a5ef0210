import { Crowding } from "./crowding.ts";

/** Calls at once at the start; then every answer allows one more. */
const FIRST_CALLS = 64;
const ANSWERS_PER_STEP = 20;
/** A limit that was found may have been raised: when that is tried, and how much longer later. */
const FIRST_TRIAL_MS = 60_000;
const TRIAL_INTERVAL_GROWTH = 5;
const LONGEST_TRIAL_INTERVAL_MS = 600_000;
/** How much of what was let in at once still counts after a refusal that it does not explain. */
const STILL_TRUE = 0.9;
/** A limit that differs by more than this is another one. */
const NEW_SHARE = 0.1;

/** Counts calls in flight and lets the next one go when there is room, in the order of asking. */
export class Slots {
  readonly #most: number;
  readonly #crowding = new Crowding();
  readonly #waiting = new Set<() => void>();
  #limit: number;
  #taken = 0;
  #answers = 0;
  /** Until the first sign that there are enough calls at once. */
  #isStarting = true;
  /** Calls at once that the account allows, where it refused more. */
  #found: number | null = null;
  /** The same when more were refused last. */
  #held: number | null = null;
  /** Calls at once that were let in lately. */
  #letIn = 0;
  /** Whether this run was refused for their number. */
  #isLearned = false;
  #trialAfterMs = FIRST_TRIAL_MS;
  #nextTrialAt = -Infinity;

  /**
   * @param most calls in flight at most, ever.
   * @param learned what an earlier run found.
   * @param now monotonic milliseconds.
   */
  constructor(most: number, learned: number | null, now: number) {
    this.#most = most;
    this.#limit = Math.min(most, learned ?? FIRST_CALLS);
    if (learned !== null && learned < most) this.#hold(learned, now);
    this.#isLearned = false;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Calls in flight that are allowed now. */
  get limit(): number {
    return this.#limit;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Calls in flight that the account allows; null where it has refused none for their number now. */
  get learned(): number | null {
    return this.#isLearned ? this.#found : null;
  }

  /** Whether more calls at once would only be slower. */
  get isCrowded(): boolean {
    return this.#limit >= this.#crowding.enough;
  }

  /** Resolves when a slot is the caller's; it must call {@link free} once. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#taken < this.#limit) {
      this.#taken += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const stop = (): void => {
        this.#waiting.delete(go);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.add(go);
    });
  }

  free(): void {
    this.#taken -= 1;
    this.#admit();
  }

  /** The gateway is overloaded: half as many at once. */
  shrink(): void {
    this.#isStarting = false;
    this.#answers = 0;
    this.#limit = Math.max(1, Math.floor(this.#limit / 2));
  }

  /** A call was let in that was sent as one of so many at once. */
  letIn(calls: number): void {
    this.#letIn = Math.max(this.#letIn, calls);
  }

  /**
   * A call was refused and nothing explains it. Where so many at once were not let in lately, half
   * as many go from now on, or as many as were let in.
   *
   * @param calls that were in flight with it.
   */
  suspected(calls: number): void {
    const known = this.#letIn;
    this.#letIn *= STILL_TRUE;
    if (calls <= known || calls <= 1) return;
    const limit = this.#limit;
    this.shrink();
    this.#limit = Math.min(limit, Math.max(this.#limit, Math.floor(known)));
  }

  /**
   * The gateway refused a call because there were too many at once.
   *
   * @param allowed calls at once that it had let in.
   */
  refused(allowed: number, now: number): void {
    // A trial that went a call or two beyond the limit has only confirmed it.
    const isNew = this.#held === null || Math.abs(allowed - this.#held) > this.#held * NEW_SHARE;
    this.#trialAfterMs = isNew
      ? FIRST_TRIAL_MS
      : Math.min(LONGEST_TRIAL_INTERVAL_MS, this.#trialAfterMs * TRIAL_INTERVAL_GROWTH);
    this.#hold(Math.max(1, Math.min(allowed, this.#limit)), now);
  }

  /** A call completed: as long as others wait for a slot, there may be more at once. */
  answered(ms: number, now: number): void {
    this.#crowding.answered(ms, now, this.#limit);
    if (this.isCrowded) {
      this.#isStarting = false;
      this.#limit = this.#crowding.enough;
      return;
    }
    if (this.#waiting.size === 0 || this.#limit >= this.#most) return;
    if (this.#found !== null && this.#limit >= this.#found && now < this.#nextTrialAt) return;
    this.#answers += 1;
    if (!this.#isStarting && this.#answers < Math.min(this.#limit, ANSWERS_PER_STEP)) return;
    this.#answers = 0;
    this.#limit += 1;
    if (this.#found !== null) this.#found = Math.max(this.#found, this.#limit);
    this.#admit();
  }

  #hold(found: number, now: number): void {
    this.#found = this.#held = found;
    this.#isLearned = true;
    this.#limit = found;
    this.#isStarting = false;
    this.#answers = 0;
    this.#nextTrialAt = now + this.#trialAfterMs;
  }

  #admit(): void {
    for (const go of this.#waiting) {
      if (this.#taken >= this.#limit) return;
      this.#waiting.delete(go);
      this.#taken += 1;
      go();
    }
  }
}
