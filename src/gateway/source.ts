import type { Clock } from "../system/clock.ts";
import type { Permits } from "./permits.ts";
import type { RateFinder } from "./rate-finder.ts";

const SHORTEST_TICK_MS = 10;
const LONGEST_TICK_MS = 50;
/** Units that a late timer did not hand out are handed out later, up to so much more. */
const KEPT_MS = 15;
const MINUTE_MS = 60_000;

/** One limit: the rate that was found for it, and those who wait for its units. */
export interface Supplied {
  readonly finder: RateFinder;
  readonly permits: Permits;
}

/** What feeds the permits of one limit: the rate found, or what all who share the account grant. */
export class Source {
  readonly #finder: RateFinder;
  readonly #permits: Permits;
  readonly #clock: Clock;
  /** A first unit may go at once. */
  #level = 1;
  #filledAt: number;
  /** The rate that this process has told the others, or adopted from them. */
  #told: number | null = null;
  #shared: number | null = null;

  constructor({ finder, permits }: Supplied, clock: Clock) {
    this.#finder = finder;
    this.#permits = permits;
    this.#clock = clock;
    this.#filledAt = clock.monotonic();
  }

  get isWanted(): boolean {
    return this.#permits.waiting > 0;
  }

  /** Units that are waited for and not on their way. */
  get lacking(): number {
    return this.#permits.lacking;
  }

  /** Milliseconds in which a unit comes, as far as timers can tell. */
  get unitMs(): number {
    if (!this.isWanted) return LONGEST_TICK_MS;
    return Math.min(LONGEST_TICK_MS, Math.max(SHORTEST_TICK_MS, 1 / this.#perMs(1)));
  }

  /** The rate that this process found and the others do not know of; null without such news. */
  get news(): number | null {
    return this.#finder.rate === this.#told ? null : this.#finder.rate;
  }

  /** The highest rate that the user allows. */
  get most(): number | null {
    return this.#finder.most;
  }

  /** Units used since this was asked last. */
  tell(): number {
    return this.#finder.tell();
  }

  /** Others have used units of the same limit between two moments. */
  othersUsed(units: number, since: number, now: number): void {
    if (units !== 0) this.#finder.sentByOthers(since, now, units);
  }

  /** Keeps the rate up to date; tries a higher one now and then while calls wait for it. */
  press(): void {
    if (this.isWanted) this.#finder.pressed(this.#clock.monotonic());
    this.#permits.perMinute = this.#finder.rate;
  }

  /** What was not used in idle times is lost, but for one unit: calls must not begin with a burst. */
  startAnew(): void {
    this.#fill(1, 0);
  }

  /**
   * @param part of the rate that is this process's own.
   * @param everyMs how often it is fed.
   */
  feedLocally(part: number, everyMs: number): void {
    this.#fill(part, everyMs + KEPT_MS);
    const units = Math.min(Math.floor(this.#level), this.lacking);
    if (units <= 0) return;
    this.#level -= units;
    this.#permits.feed(units);
  }

  /**
   * @param units granted by those who share the account.
   * @param rate that all go by; null where none is known.
   * @param told the news that they were told just now.
   * @param isAlone whether no other process uses the account.
   */
  granted(units: number, rate: number | null, told: number | null, isAlone: boolean): void {
    if (units > 0) this.#permits.feed(units);
    if (told !== null) this.#told = told;
    const isChanged = rate !== this.#shared;
    this.#shared = rate;
    // Told, but another's user allows less.
    const isCapped = told !== null && this.news === null;
    // Left behind by somebody who has gone, it says less than what this process knows.
    const isStale = isAlone && this.news !== null;
    if (rate === null || rate === told || isStale || !(isChanged || isCapped)) return;
    this.#finder.adopt(rate, this.#clock.monotonic());
    this.#told = this.#finder.rate;
  }

  #fill(part: number, keptMs: number): void {
    const now = this.#clock.monotonic();
    const perMs = this.#perMs(part);
    this.#level = Math.min(1 + perMs * keptMs, this.#level + perMs * (now - this.#filledAt));
    this.#filledAt = now;
  }

  #perMs(part: number): number {
    return ((this.#finder.rate ?? 0) * part) / MINUTE_MS;
  }
}
