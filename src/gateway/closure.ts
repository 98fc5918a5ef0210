const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;
/** After a pause as long as this the first calls go one by one, until one of them is let in. */
const SHORTEST_LONG_PAUSE_MS = 1_000;
const TRIAL_EVERY_MS = 250;
/** Those who waited are let go over this share of the pause, so that they don't all call at once. */
const SPREAD = 0.25;
const LONGEST_SPREAD_MS = 2_000;

/** When the gate is closed, for how long, and how it opens again. Times are monotonic milliseconds. */
export class Closure {
  #closedAt = -Infinity;
  #opensAt = -Infinity;
  /** When it had opened before it closed last, and until when somebody told that it is closed. */
  #openedAt = -Infinity;
  #toldUntil = -Infinity;
  /** How long it was closed in all, up to when it opens. */
  #closedMs = 0;
  #untold = 0;
  #onTrial = false;
  #nextTrialAt = -Infinity;
  #spreadMs = 0;

  /** Whether calls go one by one, until one of them is let in. */
  get onTrial(): boolean {
    return this.#onTrial;
  }

  /** The milliseconds over which those who waited are let go. */
  get spreadMs(): number {
    return this.#spreadMs;
  }

  /** When it opens again; null when it is open. */
  opensAt(now: number): number | null {
    return this.#opensAt > now ? this.#opensAt : null;
  }

  /** Milliseconds so far in which it was closed. */
  closedMs(now: number): number {
    return this.#closedMs - Math.max(0, this.#opensAt - now);
  }

  /** When the next of those who wait may go, if nothing happens before. */
  nextAt(now: number): number {
    return this.#onTrial
      ? Math.max(now, this.#opensAt, this.#nextTrialAt)
      : Math.max(now, this.#opensAt);
  }

  /** A call tries whether it is open. */
  tried(now: number): void {
    this.#nextTrialAt = now + TRIAL_EVERY_MS;
  }

  /**
   * A call was throttled. Answers to calls that were sent before it closed last say nothing new: a
   * burst of refusals counts once.
   *
   * @param waitMs what the gateway told; null where it did not tell: then 2, 4, 8 … 60 s.
   * @returns whether this closed it anew.
   */
  close(now: number, sentAt: number, waitMs: number | null): boolean {
    const isNews = sentAt > this.#closedAt;
    if (isNews) this.#openedAt = this.#opensAt;
    if (waitMs !== null) {
      // News whenever the call was sent: the gateway said so.
      this.closeFor(now, waitMs);
    } else if (isNews) {
      this.#closeFor(now, Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#untold));
      this.#untold += 1;
    }
    if (isNews) this.#closedAt = now;
    return isNews;
  }

  /** Closes it for so long from now; never opens it sooner than an earlier answer said. */
  closeFor(now: number, ms: number): void {
    this.#toldUntil = Math.max(this.#toldUntil, now + ms);
    this.#closeFor(now, ms);
  }

  #closeFor(now: number, ms: number): void {
    const opensAt = now + ms;
    if (opensAt <= this.#opensAt) return;
    this.#closedMs += opensAt - Math.max(this.#opensAt, now);
    this.#opensAt = opensAt;
    this.#spreadMs = Math.min(ms * SPREAD, LONGEST_SPREAD_MS);
    if (ms >= SHORTEST_LONG_PAUSE_MS) this.#onTrial = true;
  }

  /** A call was answered: the next untold pause is the first again. */
  answered(now: number, sentAt: number): void {
    if (sentAt >= this.#closedAt) this.#untold = 0;
    else if (sentAt >= this.#openedAt) this.#wasOpen(now);
    this.letIn(now, sentAt);
  }

  /** A call brought anything but a refusal: if it was sent since it closed, it is open. */
  letIn(now: number, sentAt: number): void {
    if (this.opensAt(now) === null && sentAt >= this.#closedAt) this.#onTrial = false;
  }

  /** It had opened before it closed last: that was no refusal more in a row, but a first one. */
  #wasOpen(now: number): void {
    if (this.#untold <= 1) return;
    this.#untold = 1;
    const opensAt = Math.max(now, this.#closedAt + FIRST_PAUSE_MS, this.#toldUntil);
    if (opensAt >= this.#opensAt) return;
    this.#closedMs -= this.#opensAt - opensAt;
    this.#opensAt = opensAt;
  }
}
