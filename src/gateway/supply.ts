import type { AccountShare, ShareAsk } from "../account-share.ts";
import type { Clock } from "../system/clock.ts";
import { Source, type Supplied } from "./source.ts";

/** How often processes that share an account speak with each other while they have calls to send. */
const SHARED_TICK_MS = 25;
const SHARED_IDLE_TICK_MS = 1_000;
/** An exchange that takes longer leaves this process to itself meanwhile. */
const OVERDUE_MS = 200;

export interface SupplyOptions {
  readonly requests: Supplied;
  readonly tokens: Supplied;
  readonly clock: Clock;
  /** Where other processes use the account too; null where this one has it for itself. */
  readonly share: AccountShare | null;
  /** Another process was told to wait, for so many milliseconds from now. */
  readonly onClosed: (ms: number) => void;
}

/** Feeds permits as long as somebody waits: at the rates found, or with what the others leave. */
export class Supply {
  readonly #clock: Clock;
  readonly #share: AccountShare | null;
  readonly #onClosed: (ms: number) => void;
  readonly #requests: Source;
  readonly #tokens: Source;
  #cancelTick: (() => void) | null = null;
  #isIdle = true;
  #askedAt: number | null = null;
  /** When it was last answered, it had asked at this time. */
  #listenedAt: number | null = null;
  /** Whether anything was sent since. */
  #hasUsed = false;
  #processes = 1;
  #closedUntil = -Infinity;
  #isClosed = false;

  constructor({ requests, tokens, clock, share, onClosed }: SupplyOptions) {
    this.#clock = clock;
    this.#share = share;
    this.#onClosed = onClosed;
    this.#requests = new Source(requests, clock);
    this.#tokens = new Source(tokens, clock);
    if (share !== null) this.#tick();
  }

  /** Somebody waits for a permit. */
  wanted(): void {
    if (!this.#isIdle) return;
    this.#requests.startAnew();
    this.#tokens.startAnew();
    this.#tick();
  }

  /** Tells the others that nobody may send for so many milliseconds from now. */
  tellClosed(ms: number): void {
    if (this.#share === null) return;
    this.#closedUntil = Math.max(this.#closedUntil, this.#clock.monotonic() + ms);
    if (this.#isIdle) this.#tick();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTick?.();
  }

  #tick(): void {
    this.#cancelTick?.();
    this.#cancelTick = null;
    if (this.#isClosed) return;
    this.#requests.press();
    this.#tokens.press();
    this.#isIdle = !this.#requests.isWanted && !this.#tokens.isWanted;
    if (this.#share !== null) {
      this.#speak(this.#share);
      this.#again(this.#isIdle && !this.#hasUsed ? SHARED_IDLE_TICK_MS : SHARED_TICK_MS);
      return;
    }
    const tickMs = Math.min(this.#requests.unitMs, this.#tokens.unitMs);
    this.#feedLocally(1, tickMs);
    if (!this.#isIdle) this.#again(tickMs);
  }

  #again(ms: number): void {
    this.#cancelTick = this.#clock.after(ms, () => this.#tick());
  }

  #feedLocally(part: number, everyMs: number): void {
    this.#requests.feedLocally(part, everyMs);
    this.#tokens.feedLocally(part, everyMs);
  }

  /** Nobody to ask: each goes on with its part of the rate. */
  #feedOwnPart(): void {
    this.#feedLocally(1 / this.#processes, SHARED_TICK_MS);
  }

  #speak(share: AccountShare): void {
    const now = this.#clock.monotonic();
    if (this.#askedAt !== null) {
      if (now - this.#askedAt > OVERDUE_MS) this.#feedOwnPart();
      return;
    }
    this.#askedAt = now;
    this.#exchange(share, now)
      .catch(() => this.#feedOwnPart())
      .finally(() => (this.#askedAt = null));
  }

  async #exchange(share: AccountShare, now: number): Promise<void> {
    // Whoever has not listened yet would tell the others what they know better.
    const rpm = this.#listenedAt === null ? null : this.#requests.news;
    const tpm = this.#listenedAt === null ? null : this.#tokens.news;
    const used = { requests: this.#requests.tell(), tokens: this.#tokens.tell() };
    this.#hasUsed = used.requests !== 0 || used.tokens !== 0;
    const ask: ShareAsk = {
      requests: this.#requests.lacking,
      tokens: this.#tokens.lacking,
      limits: { ...(rpm !== null && { rpm }), ...(tpm !== null && { tpm }) },
      most: { rpm: this.#requests.most, tpm: this.#tokens.most },
      used,
      closeMs: Math.max(0, this.#closedUntil - now),
    };
    const grant = await share.exchange(ask);
    const since = this.#listenedAt ?? now;
    this.#listenedAt = now;
    this.#requests.othersUsed(grant.othersUsed.requests, since, now);
    this.#tokens.othersUsed(grant.othersUsed.tokens, since, now);
    this.#processes = grant.processes;
    const isAlone = grant.processes === 1;
    this.#requests.granted(grant.requests, grant.limits.rpm, rpm, isAlone);
    this.#tokens.granted(grant.tokens, grant.limits.tpm, tpm, isAlone);
    if (grant.closedMs > 0) this.#onClosed(grant.closedMs);
  }
}
