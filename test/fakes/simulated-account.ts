import { type Random, seededRandom } from "../../src/system/random.ts";
import { type CallerOptions, SimulatedCaller } from "./simulated-caller.ts";

const REFUSED_AFTER_MS = [1, 10] as const;
const ARRIVES_AFTER_MS = [1, 3] as const;
const STALLS_EVERY_MS = 1_000;
const EXCHANGE_MS = 25;

/** So many calls within any stretch of so many milliseconds. */
export interface Allowance {
  readonly calls: number;
  readonly windowMs: number;
}

export interface AccountOptions extends CallerOptions {
  readonly seed?: number;
  readonly limit?: Allowance | null;
  /** Calls in the making at once. Refusals say so. */
  readonly atOnce?: number;
  readonly latencyMs?: readonly [number, number];
  /** Refuses this share of all calls for no reason of the account's. */
  readonly strays?: number;
  /** What refusals say of the limit, per minute. */
  readonly told?: number | null;
  /** Once a second on average, gateway and callers stand still for so long at most. */
  readonly stallMs?: number;
  /** Processes that use the account together. */
  readonly processes?: number;
}

/** An account behind a gateway, and those who call it: all of it on one clock, in one go. */
export class SimulatedAccount {
  now = 0;
  limit: Allowance | null;
  /** Refuses every call. */
  isShut = false;
  /** When calls were let in, and refused. */
  readonly admitted: number[] = [];
  readonly refused: number[] = [];
  readonly callers: readonly SimulatedCaller[];
  readonly #options: AccountOptions;
  readonly #random: Random;
  /** Of its own: whoever calls differently has the same luck. */
  readonly #luck: Random;
  readonly #due = new Map<number, (() => void)[]>();
  #inTheMaking = 0;
  /** Milliseconds times calls in the making. */
  #busyMs = 0;
  #stallsAt: number;
  #stalledUntil = 0;
  /** Where the oldest call is that the limit still counts. */
  #oldest = 0;

  constructor(options: AccountOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed ?? 1);
    this.#luck = seededRandom((options.seed ?? 1) + 1_000);
    this.limit = options.limit ?? null;
    this.#stallsAt = this.#between(0, 2 * STALLS_EVERY_MS);
    const call = (answer: (isLetIn: boolean, tooMany: boolean) => void): void =>
      this.#after(this.#between(...ARRIVES_AFTER_MS), () => this.#arrive(answer));
    this.callers = Array.from(
      { length: options.processes ?? 1 },
      () => new SimulatedCaller(options, call, options.told ?? null),
    );
  }

  get caller(): SimulatedCaller {
    const [first] = this.callers;
    if (first === undefined) throw new Error("nobody calls");
    return first;
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += 1) {
      this.#busyMs += this.#inTheMaking;
      if (this.now < this.#stalledUntil) continue;
      if (this.now >= this.#stallsAt) this.#stall();
      this.#happen();
      const { length } = this.callers;
      if (length > 1 && this.now % EXCHANGE_MS === 0) {
        for (const caller of this.callers) {
          for (const other of this.callers) if (other !== caller) caller.tell(other, this.now);
        }
      }
      for (const caller of this.callers) caller.turn(this.now, 1 / length);
    }
  }

  /** How much of the limit was used since then. */
  used(from: number, to = this.now): number {
    const { calls, windowMs } = this.limit ?? { calls: Infinity, windowMs: 1 };
    return this.count(this.admitted, from, to) / ((calls * (to - from)) / windowMs);
  }

  /** Calls in the making on average. */
  get inTheMaking(): number {
    return this.#busyMs / this.now;
  }

  get refusedShare(): number {
    return this.refused.length / (this.refused.length + this.admitted.length);
  }

  count(times: readonly number[], from: number, to: number): number {
    return times.filter((at) => at >= from && at < to).length;
  }

  #happen(): void {
    const events = this.#due.get(this.now);
    if (events === undefined) return;
    for (const happen of events) happen();
    this.#due.delete(this.now);
  }

  #arrive(answer: (isLetIn: boolean, tooMany: boolean) => void): void {
    const { latencyMs = [200, 400], atOnce = Infinity } = this.#options;
    const tooMany = this.#inTheMaking >= atOnce;
    const isLetIn = !tooMany && this.#isLetIn();
    (isLetIn ? this.admitted : this.refused).push(this.now);
    if (isLetIn) this.#inTheMaking += 1;
    this.#after(this.#between(...(isLetIn ? latencyMs : REFUSED_AFTER_MS)), () => {
      if (isLetIn) this.#inTheMaking -= 1;
      answer(isLetIn, tooMany);
    });
  }

  #isLetIn(): boolean {
    const { strays = 0 } = this.#options;
    if (this.#luck() < strays || this.isShut) return false;
    if (this.limit === null) return true;
    const { calls, windowMs } = this.limit;
    while ((this.admitted[this.#oldest] ?? Infinity) <= this.now - windowMs) this.#oldest += 1;
    return this.admitted.length - this.#oldest < calls;
  }

  #stall(): void {
    const { stallMs = 0 } = this.#options;
    this.#stallsAt = this.now + this.#between(0, 2 * STALLS_EVERY_MS);
    this.#stalledUntil = this.now + this.#between(0, stallMs);
    for (let at = this.now; at < this.#stalledUntil; at += 1) {
      const late = this.#due.get(at) ?? [];
      this.#due.delete(at);
      this.#due.set(this.#stalledUntil, [...late, ...(this.#due.get(this.#stalledUntil) ?? [])]);
    }
  }

  #between(least: number, most: number): number {
    return least + Math.round(this.#random() * (most - least));
  }

  #after(ms: number, happen: () => void): void {
    const at = Math.max(this.now + ms, this.#stalledUntil, this.now + 1);
    const others = this.#due.get(at);
    if (others === undefined) this.#due.set(at, [happen]);
    else others.push(happen);
  }
}
