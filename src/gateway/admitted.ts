const SLICE_MS = 100;
const SLICES = 600;
/** The longest stretch that {@link Admitted.within} knows of, in milliseconds. */
export const LONGEST_STRETCH_MS = SLICE_MS * SLICES;

/** How many units the account let through lately, by the time at which they were sent. */
export class Admitted {
  readonly #units = new Float64Array(SLICES);
  readonly #sliceOf = new Float64Array(SLICES).fill(-1);

  /**
   * @param sentAt monotonic milliseconds.
   * @param units below zero takes back what was refused or not used after all.
   */
  add(sentAt: number, units: number): void {
    const slice = Math.floor(sentAt / SLICE_MS);
    const place = slice % SLICES;
    if (this.#sliceOf[place] !== slice) {
      // What is to be taken back is older than anything that is remembered.
      if ((this.#sliceOf[place] ?? -1) > slice) return;
      this.#sliceOf[place] = slice;
      this.#units[place] = 0;
    }
    this.#units[place] = Math.max(0, (this.#units[place] ?? 0) + units);
  }

  /** Units that were sent some time between two moments. */
  spread(from: number, to: number, units: number): void {
    const last = Math.floor(to / SLICE_MS);
    const first = Math.max(last - SLICES + 1, Math.min(last, Math.floor(from / SLICE_MS) + 1));
    const part = units / (last - first + 1);
    for (let slice = first; slice <= last; slice += 1) this.add(slice * SLICE_MS, part);
  }

  /** Units within the last `ms` milliseconds, a minute at most. */
  within(ms: number, now: number): number {
    const last = Math.floor(now / SLICE_MS);
    const first = last - Math.min(SLICES - 1, Math.round(ms / SLICE_MS));
    // The newest slice is not over: as much of the oldest counts as that still lacks.
    let sum = this.#in(first) * (1 - (now / SLICE_MS - last));
    for (let slice = first + 1; slice <= last; slice += 1) sum += this.#in(slice);
    return sum;
  }

  /** The most units within any `ms` milliseconds that ended between two moments, a minute apart at most. */
  most(ms: number, from: number, to: number): number {
    let most = 0;
    for (let now = Math.max(from, to - LONGEST_STRETCH_MS); now <= to; now += SLICE_MS) {
      most = Math.max(most, this.within(ms, now));
    }
    return most;
  }

  #in(slice: number): number {
    const place = (slice + SLICES) % SLICES;
    return this.#sliceOf[place] === slice ? (this.#units[place] ?? 0) : 0;
  }
}
