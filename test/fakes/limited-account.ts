import { RateFinder } from "../../src/gateway/rate-finder.ts";
import type { Random } from "../../src/system/random.ts";

const NOTICED_AFTER_MS = 20;
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;
const TRIAL_EVERY_MS = 250;

export interface AccountOptions {
  /** The rate that the user names. */
  readonly known?: number | null;
  /** How long answers take. Refusals take 20 ms. */
  readonly answerMs?: number;
  /** Calls that may be made per millisecond, whatever the rate. */
  readonly pace?: number;
  readonly atOnce?: number;
  /** Refuses so many of all calls for no reason of the account's. */
  readonly strays?: { readonly share: number; readonly random: Random };
  /** What refusals say of the limit, per minute. */
  readonly told?: () => number | null;
  /** Goes by this rate and learns nothing. */
  readonly fixedRate?: number | null;
}

/**
 * An account that lets `allowed` calls through in any `windowMs`, and a caller that keeps asking,
 * as the governor does: after a refusal it waits 2, 4, 8 s, then asks singly until one is let in.
 */
export class LimitedAccount {
  now = 0;
  allowed: number;
  readonly finder: RateFinder;
  /** When calls were let in. */
  readonly admitted: number[] = [];
  /** When bursts of refusals began. */
  readonly bursts: number[] = [];
  /** Everything that was learned, from beginning to end. */
  readonly learned = new Set<number | null>();
  readonly #windowMs: number;
  readonly #options: AccountOptions;
  readonly #due = new Map<number, (() => void)[]>();
  #inFlight = 0;
  #sent = 0;
  #credit = 0;
  #closedAt = -Infinity;
  #opensAt = -Infinity;
  #nextTrialAt = -Infinity;
  #onTrial = false;
  #untold = 0;

  constructor(allowed: number, windowMs = 1_000, options: AccountOptions = {}) {
    this.allowed = allowed;
    this.#windowMs = windowMs;
    this.#options = options;
    this.finder = new RateFinder(0.96, options.known ?? null, null, 0);
  }

  run(ms: number): void {
    const { pace = 0.4, atOnce = Infinity } = this.#options;
    const end = this.now + ms;
    for (; this.now < end; this.now += 1) {
      for (const answer of this.#due.get(this.now) ?? []) answer();
      this.#due.delete(this.now);
      this.#credit = Math.min(2, this.#credit + Math.min(pace, (this.#rate ?? Infinity) / 60_000));
      if (this.now < this.#opensAt || this.#inFlight >= atOnce) continue;
      this.finder.pressed(this.now);
      if (this.#onTrial ? this.now < this.#nextTrialAt : this.#credit < 1) continue;
      this.#nextTrialAt = this.now + TRIAL_EVERY_MS;
      this.#credit = Math.max(0, this.#credit - 1);
      this.#call();
    }
  }

  /** How much of the limit was used. */
  used(fromMs: number): number {
    const count = this.admitted.filter((at) => at >= fromMs).length;
    return count / ((this.allowed * (this.now - fromMs)) / this.#windowMs);
  }

  get #rate(): number | null {
    const { fixedRate } = this.#options;
    return fixedRate === undefined ? this.finder.rate : fixedRate;
  }

  #call(): void {
    const { answerMs = NOTICED_AFTER_MS } = this.#options;
    const sentAt = this.now;
    this.#sent += 1;
    this.#inFlight += 1;
    this.finder.sent(sentAt, 1);
    const nth = this.#sent;
    const isLetIn = this.#isLetIn();
    if (isLetIn) this.admitted.push(sentAt);
    this.#after(isLetIn ? answerMs : NOTICED_AFTER_MS, () => {
      this.#inFlight -= 1;
      if (isLetIn) this.#letIn(sentAt);
      else this.#refused(sentAt, nth);
      this.learned.add(this.finder.learned);
    });
  }

  #isLetIn(): boolean {
    const { strays } = this.#options;
    if (strays !== undefined && strays.random() < strays.share) return false;
    let within = 0;
    for (let place = this.admitted.length - 1; place >= 0; place -= 1) {
      if ((this.admitted[place] ?? 0) <= this.now - this.#windowMs) break;
      within += 1;
    }
    return within < this.allowed;
  }

  #letIn(sentAt: number): void {
    this.finder.letIn(sentAt);
    if (sentAt < this.#closedAt) return;
    this.#untold = 0;
    if (this.now >= this.#opensAt) this.#onTrial = false;
  }

  #refused(sentAt: number, nth: number): void {
    const isNews = sentAt > this.#closedAt;
    const told = this.#options.told?.() ?? null;
    const sentAfter = this.#sent - nth;
    this.finder.refused({ now: this.now, sentAt, units: 1, sentAfter, told, isNews });
    if (!isNews) return;
    this.bursts.push(this.now);
    this.#closedAt = this.now;
    this.#opensAt = this.now + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#untold);
    this.#untold += 1;
    this.#onTrial = true;
  }

  #after(ms: number, answer: () => void): void {
    const at = this.now + ms;
    this.#due.set(at, [...(this.#due.get(at) ?? []), answer]);
  }
}
