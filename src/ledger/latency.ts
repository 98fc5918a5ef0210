const GROWTH = 1.05;
const LOG_GROWTH = Math.log(GROWTH);

/** Percentiles of durations in flat memory, true to 5 %. */
export class LatencyHistogram {
  readonly #buckets: number[] = [];
  #count = 0;

  add(ms: number): void {
    const bucket = ms <= 1 ? 0 : Math.ceil(Math.log(ms) / LOG_GROWTH);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#count += 1;
  }

  /** Milliseconds that a share `p` (0 to 1) of the durations do not exceed; null when there are none. */
  percentile(p: number): number | null {
    if (this.#count === 0) return null;
    const rank = Math.max(1, Math.ceil(p * this.#count));
    let seen = 0;
    for (const [bucket, count] of this.#buckets.entries()) {
      seen += count ?? 0;
      if (seen >= rank) return Math.round(GROWTH ** bucket);
    }
    return null;
  }
}
