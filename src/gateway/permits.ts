import Bottleneck from "bottleneck";

/** Bottleneck refreshes a reservoir at multiples of 250 ms only. */
const INTERVALS_MS = [250, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000];
/** How much of the rate may be lost by granting whole units per interval. */
const TOLERATED_LOSS = 0.02;
const MINUTE_MS = 60_000;

interface Waiting {
  left: number;
  readonly resolve: () => void;
}

/**
 * Permits at a known rate (requests or tokens per minute), from one bottleneck.
 *
 * A `schedule` costs 2.4 ms, one after another, whatever it grants; so the callers that have
 * gathered meanwhile share one, weighted by all they need. A batch never weighs more than the
 * bucket (it would wait for ever, and all behind it): what is larger is granted in parts.
 */
export class Permits {
  readonly #bottleneck: Bottleneck;
  readonly #bucket: number;
  readonly #waiting: Waiting[] = [];
  #granting = false;
  /** Units that were granted but not used: given out first. */
  #refunded = 0;

  /** @param perMinute units per minute. */
  constructor(perMinute: number) {
    const { amount, intervalMs } = bucketFor(perMinute);
    this.#bucket = amount;
    this.#bottleneck = new Bottleneck({
      reservoir: amount,
      reservoirRefreshAmount: amount,
      reservoirRefreshInterval: intervalMs,
    });
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when `units` are granted. Who stops waiting leaves its place to the next. */
  async take(units: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        left: Math.max(1, units),
        resolve: () => {
          signal.removeEventListener("abort", stop);
          resolve();
        },
      };
      const stop = (): void => {
        const at = this.#waiting.indexOf(waiting);
        if (at !== -1) this.#waiting.splice(at, 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.push(waiting);
      if (!this.#granting) void this.#grant();
    });
  }

  /** Gives back units that were taken but not used, at most a bucket of them. */
  refund(units: number): void {
    this.#refunded = Math.min(this.#bucket, this.#refunded + Math.max(0, units));
  }

  async close(): Promise<void> {
    await this.#bottleneck.disconnect();
  }

  async #grant(): Promise<void> {
    this.#granting = true;
    // One turn lets the callers that come together share the first grant too.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      this.#spend(this.#refunded, (spent) => (this.#refunded -= spent));
      const wanted = this.#waiting.reduce((sum, { left }) => sum + left, 0);
      if (wanted === 0) break;
      const weight = Math.min(this.#bucket, Math.ceil(wanted));
      await this.#bottleneck.schedule({ weight }, () => Promise.resolve());
      this.#spend(weight, () => {});
    }
    this.#granting = false;
  }

  #spend(units: number, onSpent: (spent: number) => void): void {
    let left = units;
    for (let first = this.#waiting[0]; first !== undefined && left > 0; first = this.#waiting[0]) {
      const part = Math.min(first.left, left);
      first.left -= part;
      left -= part;
      if (first.left > 0) break;
      this.#waiting.shift();
      first.resolve();
    }
    onSpent(units - left);
  }
}

/** The shortest interval whose whole-numbered amount comes close to the rate. */
export function bucketFor(perMinute: number): { amount: number; intervalMs: number } {
  for (const intervalMs of INTERVALS_MS) {
    const exact = (perMinute * intervalMs) / MINUTE_MS;
    const amount = Math.floor(exact + 1e-9);
    if (amount >= 1 && (exact - amount) / exact <= TOLERATED_LOSS) return { amount, intervalMs };
  }
  // Less than one a minute: one at a time, each after a whole number of refreshes.
  const intervalMs = Math.ceil(MINUTE_MS / perMinute / 250) * 250;
  return { amount: Math.max(1, Math.floor((perMinute * intervalMs) / MINUTE_MS)), intervalMs };
}
