import { messageOf } from "../errors.ts";
import type { RunQueue } from "../queue/run-queue.ts";
import type { Window } from "../queue/window.ts";
import type { Log } from "../system/log.ts";

const CHUNK_ITEMS = 250;

/** Puts back what Redis has lost. */
export class Refill {
  readonly #queue: RunQueue;
  readonly #window: Window;
  readonly #isInHand: (index: number) => boolean;
  readonly #log: Log;
  #running: Promise<void> | undefined;

  constructor(queue: RunQueue, window: Window, isInHand: (index: number) => boolean, log: Log) {
    this.#queue = queue;
    this.#window = window;
    this.#isInHand = isInHand;
    this.#log = log;
  }

  /** Compares the window with the queue, unless that is under way. */
  soon(): void {
    this.#running ??= this.#run()
      .catch((error: unknown) => {
        this.#log.warn({ event: "refill.failed", error: messageOf(error) }, "could not look");
      })
      .finally(() => (this.#running = undefined));
  }

  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const waiting = this.#window.indexes().filter((index) => !this.#isInHand(index));
    if (waiting.length === 0) return;
    const missing = await this.#queue.missing(waiting);
    const lost = missing
      .filter((index) => !this.#isInHand(index))
      .flatMap((index) => this.#window.get(index) ?? []);
    if (lost.length === 0) return;
    this.#log.warn({ event: "items.lost", count: lost.length }, "Redis lost items: put back");
    for (let at = 0; at < lost.length; at += CHUNK_ITEMS) {
      await this.#queue.add(lost.slice(at, at + CHUNK_ITEMS));
    }
  }
}
