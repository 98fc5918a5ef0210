import type { Clock } from "../system/clock.ts";

/** Items that one process may hold for each call in flight: the others wait to try again. */
export const HELD_PER_SLOT = 4;
/** Items for each call in flight that are fetched ahead, so that no slot waits for Redis. */
const AHEAD = 0.5;

/**
 * How many items to have in hand where others take from the same queue: what waits for a slot here
 * could be called elsewhere.
 *
 * @param resting items in hand that wait to try again, and need no slot.
 */
export function fairCapacity(concurrency: number, resting: number): number {
  return Math.min(concurrency * HELD_PER_SLOT, Math.ceil(concurrency * (1 + AHEAD)) + resting);
}

/** Counts the items that wait to try again. */
export class Resting {
  /** For whoever answers items: what sleeps on it is resting. */
  readonly clock: Clock;
  #size = 0;

  constructor(clock: Clock, onChange: () => void) {
    const change = (by: number): void => {
      this.#size += by;
      onChange();
    };
    this.clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after: (ms, callback) => clock.after(ms, callback),
      sleep: async (ms, signal) => {
        change(1);
        try {
          await clock.sleep(ms, signal);
        } finally {
          change(-1);
        }
      },
    };
  }

  get size(): number {
    return this.#size;
  }
}
