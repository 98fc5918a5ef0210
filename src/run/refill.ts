import { messageOf } from "../errors.ts";
import { alone } from "../queue/parcel.ts";
import type { RunQueue } from "../queue/run-queue.ts";
import type { Window } from "../queue/window.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import type { Elsewhere } from "./elsewhere.ts";
import type { Hold } from "./hold.ts";

const CHUNK_ITEMS = 250;
/** What Redis lost unnoticed is found so soon. */
const LOOK_EVERY_MS = 60_000;
/** So soon is looked again after an item that only a worker's word vouches for, or that was refused. */
const LOOK_AGAIN_MS = 6_000;

export interface RefillParts {
  readonly queue: RunQueue;
  readonly window: Window;
  readonly isInHand: (index: number) => boolean;
  /** Null where nobody else can work on the run. */
  readonly elsewhere: Elsewhere | null;
  readonly hold: Hold;
  readonly clock: Clock;
  readonly log: Log;
}

/** Puts back what the queue does not have (any more): when it is told to look, and every minute. */
export class Refill {
  readonly #parts: RefillParts;
  readonly #closed = new AbortController();
  #running: Promise<void> | undefined;
  #isDue = false;
  #cancelAgain = (): void => {};
  #cancelLook = (): void => {};

  constructor(parts: RefillParts) {
    this.#parts = parts;
    this.#lookLater();
  }

  /** Compares the window with the queue; once more where that is under way. */
  soon(): void {
    this.#isDue = true;
    this.#running ??= this.#runWhileDue().finally(() => (this.#running = undefined));
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#cancelAgain();
    this.#cancelLook();
    await this.#running;
  }

  #lookLater(): void {
    this.#cancelLook = this.#parts.clock.after(LOOK_EVERY_MS, () => {
      this.#lookLater();
      this.soon();
    });
  }

  #again(ms: number): void {
    this.#cancelAgain();
    if (this.#closed.signal.aborted) return;
    this.#cancelAgain = this.#parts.clock.after(ms, () => this.soon());
  }

  async #runWhileDue(): Promise<void> {
    while (this.#isDue && !this.#closed.signal.aborted) {
      this.#isDue = false;
      try {
        await this.#run();
      } catch (error) {
        if (this.#closed.signal.aborted) return;
        this.#parts.log.warn(
          { event: "refill.failed", error: messageOf(error) },
          "could not look for lost items",
        );
        this.#again(LOOK_AGAIN_MS);
      }
    }
  }

  async #run(): Promise<void> {
    const { queue, window, isInHand, elsewhere, hold, log } = this.#parts;
    // A run that is held gets nothing into the queue; when it goes on, this is done again.
    if (hold.isOn) return;
    // Workers drop parcels of several, which then are missing only after the look for them.
    if (elsewhere?.hasWorkers() === true) await queue.disband();
    const waiting = window.indexes().filter((index) => !isInHand(index));
    const parcels = new Set(waiting.flatMap((index) => window.parcelOf(index) ?? []));
    if (parcels.size === 0) return;
    const gone = await queue.missing([...parcels]);
    const missing = waiting.filter((index) => gone.has(window.parcelOf(index) ?? ""));
    if (missing.length === 0) return;
    const claimed = await elsewhere?.claimed(this.#closed.signal);
    await elsewhere?.caughtUp();
    const lost = missing
      .filter((index) => !isInHand(index) && claimed?.has(index) !== true)
      .flatMap((index) => window.get(index) ?? []);
    if (claimed !== undefined && missing.some((index) => claimed.has(index) && window.has(index))) {
      this.#again(LOOK_AGAIN_MS);
    }
    if (lost.length === 0 || hold.isOn) return;
    log.info({ event: "items.put_back", count: lost.length }, "put back what the queue has not");
    for (let at = 0; at < lost.length; at += CHUNK_ITEMS) {
      const parcels = lost.slice(at, at + CHUNK_ITEMS).map(alone);
      for (const parcel of parcels) window.send(parcel);
      await queue.add(parcels);
    }
  }
}
