import { Closure } from "../../src/gateway/closure.ts";
import { LimitFinder } from "../../src/gateway/limit-finder.ts";
import type { Limits } from "../../src/gateway/limits.ts";
import type { Verdict } from "../../src/gateway/verdict.ts";

const TICK_MS = 10;
/** As much as a late timer may hand out later. */
const KEPT_MS = 15;
const MINUTE_MS = 60_000;
const CALLS_PER_MS = 2;

export interface CallerOptions {
  /** The rate that the user names. */
  readonly rpm?: number | null;
  readonly concurrency?: number;
  readonly learned?: Limits;
  /** Goes by this rate, whatever it learns. */
  readonly fixedRate?: number | null;
}

type Call = (answer: (isLetIn: boolean, tooMany: boolean) => void) => void;

/** A process with more calls to make than it may: what the governor decides, without its timers. */
export class SimulatedCaller {
  readonly limits: LimitFinder;
  readonly closure = new Closure();
  /** Everything that was ever taken for the limit, and would have been advised. */
  readonly learned = new Set<number | null>();
  /** When bursts of refusals began. */
  readonly bursts: number[] = [];
  readonly #options: CallerOptions;
  readonly #call: Call;
  readonly #told: number | null;
  readonly #waiting: number;
  #now = 0;
  #inFlight = 0;
  #level = 1;
  #filledAt = 0;
  #openedAt = -Infinity;
  #released = 0;
  #toldRate: number | null = null;
  #toldAt = 0;

  constructor(options: CallerOptions, call: Call, told: number | null) {
    const { rpm = null, concurrency = 128, learned } = options;
    this.#options = options;
    this.#call = call;
    this.#told = told;
    this.#waiting = 2 * concurrency;
    this.limits = new LimitFinder(
      { concurrency, rpm, tpm: null, ...(learned !== undefined && { learned }) },
      0,
    );
    for (let caller = 0; caller < this.#waiting; caller += 1) this.#wait();
  }

  get rate(): number | null {
    const { fixedRate } = this.#options;
    return fixedRate === undefined ? this.limits.requests.rate : fixedRate;
  }

  turn(now: number, part: number): void {
    this.#now = now;
    if (this.closure.opensAt(now) !== null) {
      this.#level = 1;
      this.#filledAt = now;
      return;
    }
    if (!this.closure.onTrial && now % TICK_MS === 0) this.limits.requests.pressed(now);
    this.#fill(now, part);
    if (this.closure.onTrial) {
      this.#openedAt = now;
      this.#released = 0;
      if (this.closure.nextAt(now) > now || !this.#hasSlot || this.#level < 1) return;
      this.closure.tried(now);
      this.#level -= 1;
      this.#send();
      return;
    }
    const spread = Math.max(1, this.closure.spreadMs);
    for (let call = 0; call < CALLS_PER_MS && this.#hasSlot && this.#level >= 1; call += 1) {
      const since = now - this.#openedAt;
      if (since < spread && this.#released >= (this.#waiting * since) / spread) return;
      this.#released += 1;
      this.#level -= 1;
      this.#send();
    }
  }

  /** What one process that shares an account lets another know. */
  tell(other: SimulatedCaller, now: number): void {
    const opensAt = this.closure.opensAt(now);
    if (opensAt !== null) other.closure.closeFor(now, opensAt - now);
    other.limits.requests.sentByOthers(this.#toldAt, now, this.limits.requests.tell());
    this.#toldAt = now;
    const { rate } = this.limits.requests;
    if (rate === null || rate === this.#toldRate) return;
    this.#toldRate = rate;
    other.limits.requests.adopt(rate, now);
    other.#toldRate = rate;
  }

  #fill(now: number, part: number): void {
    if (this.rate === null) {
      this.#level = Infinity;
      return;
    }
    if (this.#level === Infinity) this.#level = 1;
    else if (now % TICK_MS !== 0) return;
    else {
      const perMs = (this.rate * part) / MINUTE_MS;
      const most = 1 + (this.closure.onTrial ? 0 : perMs * (TICK_MS + KEPT_MS));
      this.#level = Math.min(most, this.#level + perMs * (now - this.#filledAt));
    }
    this.#filledAt = now;
  }

  get #hasSlot(): boolean {
    return this.limits.slots.taken > this.#inFlight;
  }

  #wait(): void {
    // Each of its own: removing one of many listeners from a signal takes long.
    void this.limits.slots.take(new AbortController().signal);
  }

  #send(): void {
    this.#inFlight += 1;
    const sent = this.limits.sent(this.#now, 0, this.#inFlight);
    this.#call((isLetIn, tooMany) => {
      const now = this.#now;
      if (isLetIn) {
        this.closure.letIn(now, sent.at);
        this.limits.letIn(sent);
        this.closure.answered(now, sent.at);
        this.limits.answered(sent, now);
      } else {
        const isNews = this.closure.close(now, sent.at, null);
        if (isNews) this.bursts.push(now);
        this.limits.refused(refusal(tooMany, this.#told), sent, now, isNews);
      }
      this.learned.add(this.limits.requests.learned);
      this.#inFlight -= 1;
      this.limits.slots.free();
      this.#wait();
    });
  }
}

function refusal(
  tooMany: boolean,
  requestsPerMinute: number | null,
): Extract<Verdict, { class: "throttled" }> {
  return {
    class: "throttled",
    failure: { code: "429", message: "", response: null },
    waitMs: null,
    limit: tooMany ? "concurrency" : "unknown",
    requestsPerMinute,
    tokensPerMinute: null,
  };
}
