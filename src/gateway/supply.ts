import type { AccountShare, ShareAsk } from "../account-share.ts";
import type { Clock } from "../system/clock.ts";
import type { Permits } from "./permits.ts";
import type { RateFinder } from "./rate-finder.ts";

/** Units come one by one where that is possible, not in bursts that a limit per second would refuse. */
const SHORTEST_TICK_MS = 10;
const LONGEST_TICK_MS = 50;
/** How often processes that share an account speak with each other while they have calls to send. */
const SHARED_TICK_MS = 50;
const SHARED_IDLE_TICK_MS = 1_000;
/** Units that nobody wanted are kept for this long, in case a timer comes late. */
const KEPT_MS = 50;
const MINUTE_MS = 60_000;

/** One limit: the rate that was found for it, and those who wait for its units. */
export interface Supplied {
  readonly finder: RateFinder;
  readonly permits: Permits;
}

export interface SupplyOptions {
  readonly requests: Supplied;
  readonly tokens: Supplied;
  readonly clock: Clock;
  /** Where other processes use the account too; null where this one has it for itself. */
  readonly share: AccountShare | null;
  /** Another process was told to wait, for so many milliseconds from now. */
  readonly onClosed: (ms: number) => void;
}

/** Feeds permits at the rates found: its own, or what the shared account has left for it. */
export class Supply {
  readonly #options: SupplyOptions;
  readonly #requests: Source;
  readonly #tokens: Source;
  #cancelTick: (() => void) | null = null;
  #exchanging = false;
  #hasListened = false;
  #processes = 1;
  #closeMs = 0;
  #closed = false;

  constructor(options: SupplyOptions) {
    this.#options = options;
    this.#requests = new Source(options.requests, options.clock);
    this.#tokens = new Source(options.tokens, options.clock);
    if (options.share !== null) this.#tick();
  }

  /** Processes that use the account, this one among them. */
  get processes(): number {
    return this.#processes;
  }

  /** Somebody waits for a permit. */
  wanted(): void {
    if (this.#cancelTick !== null) return;
    for (const source of [this.#requests, this.#tokens]) source.startAnew();
    this.#tick();
  }

  /** Tells the others that nobody may send for a while. */
  tellClosed(ms: number): void {
    this.#closeMs = Math.max(this.#closeMs, ms);
  }

  close(): void {
    this.#closed = true;
    this.#cancelTick?.();
  }

  #tick(): void {
    if (this.#closed) return;
    const { share, clock } = this.#options;
    const isWanted = this.#requests.isWanted || this.#tokens.isWanted;
    for (const source of [this.#requests, this.#tokens]) source.press();
    if (share === null) {
      this.#requests.feedLocally(1);
      this.#tokens.feedLocally(1);
      const tickMs = Math.min(this.#requests.unitMs, this.#tokens.unitMs);
      this.#cancelTick = isWanted ? clock.after(tickMs, () => this.#tick()) : null;
      return;
    }
    void this.#exchange(share);
    const pause = isWanted ? SHARED_TICK_MS : SHARED_IDLE_TICK_MS;
    this.#cancelTick = clock.after(pause, () => this.#tick());
  }

  async #exchange(share: AccountShare): Promise<void> {
    // One that takes longer than a tick is not overtaken by the next.
    if (this.#exchanging) return;
    this.#exchanging = true;
    const closeMs = this.#closeMs;
    this.#closeMs = 0;
    try {
      const ask: ShareAsk = {
        requests: this.#requests.lacking,
        tokens: this.#tokens.lacking,
        // Whoever has not listened yet would take away what others know.
        ...(this.#hasListened && (this.#requests.hasNews || this.#tokens.hasNews)
          ? { limits: { rpm: this.#requests.tell(), tpm: this.#tokens.tell() } }
          : {}),
        closeMs,
      };
      const grant = await share.exchange(ask);
      this.#hasListened = true;
      this.#processes = grant.processes;
      this.#requests.granted(grant.requests, grant.limits.rpm);
      this.#tokens.granted(grant.tokens, grant.limits.tpm);
      if (grant.closedMs > 0) this.#options.onClosed(grant.closedMs);
    } catch {
      // Nobody to ask: each goes on with its part of the rate.
      this.tellClosed(closeMs);
      this.#requests.feedLocally(1 / this.#processes);
      this.#tokens.feedLocally(1 / this.#processes);
    } finally {
      this.#exchanging = false;
    }
  }
}

/** What feeds one limit's permits. */
class Source {
  readonly #finder: RateFinder;
  readonly #permits: Permits;
  readonly #clock: Clock;
  /** A first unit may go at once. */
  #level = 1;
  #filledAt: number;
  /** The rate that all go by. */
  #shared: number | null = null;
  /** The rate that this process has told, or adopted. */
  #told: number | null = null;

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
    const unitMs = 1 / this.#perMs(1);
    return Math.min(LONGEST_TICK_MS, Math.max(SHORTEST_TICK_MS, unitMs));
  }

  /** Whether this process has found out what the others do not know. */
  get hasNews(): boolean {
    return this.#finder.rate !== null && this.#finder.rate !== this.#told;
  }

  /** The rate for all: this process's news, else what holds already. */
  tell(): number | null {
    if (!this.hasNews) return this.#shared;
    this.#told = this.#finder.rate;
    return this.#told;
  }

  press(): void {
    if (this.isWanted) this.#finder.pressed(this.#clock.monotonic());
    this.#permits.perMinute = this.#finder.rate;
  }

  /** What was not used in idle times is lost, but for one unit: calls must not begin with a burst. */
  startAnew(): void {
    const now = this.#clock.monotonic();
    const accrued = this.#perMs(1) * (now - this.#filledAt);
    this.#level = Math.min(1, this.#level + accrued);
    this.#filledAt = now;
  }

  /** @param part of the rate that is this process's own. */
  feedLocally(part: number): void {
    const now = this.#clock.monotonic();
    const perMs = this.#perMs(part);
    const most = Math.max(1, perMs * KEPT_MS);
    this.#level = Math.min(most, this.#level + perMs * (now - this.#filledAt));
    this.#filledAt = now;
    const units = Math.min(Math.floor(this.#level), this.lacking);
    if (units <= 0) return;
    this.#level -= units;
    this.#permits.feed(units);
  }

  #perMs(part: number): number {
    return ((this.#finder.rate ?? 0) * part) / MINUTE_MS;
  }

  granted(units: number, rate: number | null): void {
    if (units > 0) this.#permits.feed(units);
    const isChanged = rate !== this.#shared;
    this.#shared = rate;
    // News of one's own come with the next exchange.
    if (!isChanged || rate === null || this.hasNews) return;
    this.#finder.adopt(rate, this.#clock.monotonic());
    this.#told = this.#finder.rate;
  }
}
