import Bottleneck from "bottleneck";

/** The longest time in which one batch may be fed: what waits behind it is not held up for longer. */
const BATCH_MS = 10;
const REFUNDS_KEPT_MS = 1_000;
const MINUTE_MS = 60_000;

interface Waiting {
  left: number;
  readonly resolve: () => void;
}

/**
 * Hands out units of one limit (requests or tokens) in the order of asking, from a bottleneck whose
 * reservoir somebody feeds.
 *
 * A `schedule` costs 2.4 ms, one after another, whatever it grants; so the callers that have
 * gathered meanwhile share one, weighted by what they need. A batch never weighs more than is fed
 * in a moment: what is larger is granted in parts.
 */
export class Permits {
  readonly #bottleneck = new Bottleneck({ reservoir: 0 });
  readonly #waiting: Waiting[] = [];
  readonly #onWanted: () => void;
  #perMinute = 0;
  #granting = false;
  /** Units that bottleneck has been asked for and has not granted yet. */
  #asked = 0;
  /** Units in the reservoir that no batch has taken yet. */
  #fed = 0;
  /** Units that were granted and not used: given out first. */
  #spare = 0;

  /** @param onWanted told whenever somebody comes to wait. */
  constructor(onWanted: () => void) {
    this.#onWanted = onWanted;
  }

  /** Callers that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whole units that they wait for and that nobody has fed yet. */
  get lacking(): number {
    // A batch that was asked for must be fed even when fewer want it by now: others wait behind it.
    const wanted = Math.max(Math.ceil(this.#wanted() - this.#spare), this.#asked);
    return Math.max(0, wanted - this.#fed);
  }

  /** Units that will be fed, at about this rate; batches are as large as that allows. */
  set perMinute(units: number | null) {
    this.#perMinute = units ?? 0;
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
      this.#onWanted();
      if (!this.#granting) void this.#grant();
    });
  }

  /** Adds whole units to the reservoir. */
  feed(units: number): void {
    this.#fed += units;
    void this.#bottleneck.incrementReservoir(units);
  }

  /**
   * Gives back units that a call turned out not to need; a second's worth is kept at most. Those of
   * a call that was not made are lost: when calls go again, they must not begin with a burst.
   */
  refund(units: number): void {
    const most = Math.max(1, (this.#perMinute * REFUNDS_KEPT_MS) / MINUTE_MS);
    const spare = Math.min(Math.max(most, this.#spare), this.#spare + Math.max(0, units));
    this.#spare = this.#spend(spare);
  }

  async close(): Promise<void> {
    await this.#bottleneck.disconnect();
  }

  async #grant(): Promise<void> {
    this.#granting = true;
    // One turn lets the callers that come together share the first grant too.
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      this.#spare = this.#spend(this.#spare);
      const wanted = Math.ceil(this.#wanted());
      if (wanted === 0) break;
      const weight = Math.min(wanted, this.#batch());
      this.#asked = weight;
      await this.#bottleneck.schedule({ weight }, () => Promise.resolve());
      this.#asked = 0;
      this.#fed -= weight;
      this.#spare = this.#spend(this.#spare + weight);
    }
    this.#granting = false;
  }

  #wanted(): number {
    let sum = 0;
    for (const { left } of this.#waiting) sum += left;
    return sum;
  }

  #batch(): number {
    return Math.max(1, Math.floor((this.#perMinute * BATCH_MS) / MINUTE_MS));
  }

  /** Gives units to those who wait, first come, first served; returns what nobody wants. */
  #spend(units: number): number {
    let left = units;
    for (let first = this.#waiting[0]; first !== undefined && left > 0; first = this.#waiting[0]) {
      const part = Math.min(first.left, left);
      first.left -= part;
      left -= part;
      if (first.left > 0) break;
      this.#waiting.shift();
      first.resolve();
    }
    return left;
  }
}
