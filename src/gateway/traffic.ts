import { Admitted, LONGEST_STRETCH_MS } from "./admitted.ts";
import { REACHED_SHARE } from "./refusals.ts";

const MINUTE_MS = 60_000;
/** Units that must be expected in a stretch to tell from it whether a rate is used. */
const EXPECTED_UNITS = 10;
const SHORTEST_STRETCH_MS = 1_000;

/** What has been sent of one limit lately, and not been refused. */
export class Traffic {
  readonly admitted = new Admitted();
  /** Units that nobody else has been told of. */
  #untold = 0;

  sent(now: number, units: number): void {
    this.admitted.add(now, units);
    this.#untold += units;
  }

  takeBack(sentAt: number, units: number): void {
    this.admitted.add(sentAt, -units);
    this.#untold -= units;
  }

  /** Units sent since this was asked last. */
  tell(): number {
    const untold = this.#untold;
    this.#untold = 0;
    return untold;
  }

  withinMinute(now: number): number {
    return this.admitted.within(LONGEST_STRETCH_MS, now);
  }

  /** Whether as much is sent as this rate allows. */
  uses(rate: number, now: number): boolean {
    const stretch = Math.max(SHORTEST_STRETCH_MS, (EXPECTED_UNITS * MINUTE_MS) / rate);
    const ms = Math.min(LONGEST_STRETCH_MS, stretch);
    return (this.admitted.within(ms, now) * MINUTE_MS) / ms >= rate * REACHED_SHARE;
  }

  /** Whether a limit per minute is used up, or is about to be. */
  reaches(limit: number, now: number): boolean {
    return this.withinMinute(now) >= limit * REACHED_SHARE || this.uses(limit, now);
  }
}
