import type { RunStopped } from "../errors.ts";
import { type Answer, answerItem, type Answering } from "../gateway/answer-item.ts";
import type { Item } from "../item.ts";
import type { Handed, Handled } from "../queue/consumer.ts";
import type { Window } from "../queue/window.ts";
import { asRunStopped } from "./as-run-stopped.ts";
import type { Hold } from "./hold.ts";
import type { Recording } from "./recording.ts";
import { MOST_TAKEOVERS, workerLost } from "./worker-lost.ts";

/** What handling an item takes. */
export interface HandlingParts {
  readonly answering: Omit<Answering, "stopping">;
  readonly hold: Hold;
  readonly recording: Recording;
  readonly window: Window;
  /** Ends the sitting early; what is in flight is still recorded. */
  readonly stop: (reason: RunStopped) => void;
}

/** Takes items from the queue to their outcome. */
export class Handling {
  readonly #parts: HandlingParts;
  readonly #inHand = new Map<number, Promise<Handled>>();
  #answering: Answering;

  constructor(parts: HandlingParts) {
    this.#parts = parts;
    this.#answering = { ...parts.answering, stopping: parts.hold.signal };
  }

  get size(): number {
    return this.#inHand.size;
  }

  has(index: number): boolean {
    return this.#inHand.has(index);
  }

  /** Never throws: for BullMQ every item it hands out ends well, and the ledger knows how. */
  readonly handle = ({ item, parcel, takeovers }: Handed): Promise<Handled> => {
    // BullMQ may hand out an item twice, after a pause of the machine or a lost lock.
    const inHand = this.#inHand.get(item.index);
    if (inHand !== undefined) return inHand;
    // It is over, or was put into the queue anew: then it is somebody else's who gets that.
    if (this.#parts.window.parcelOf(item.index) !== parcel) return Promise.resolve("done");
    const handled = this.#handle(item, takeovers);
    this.#inHand.set(item.index, handled);
    return handled;
  };

  /** Resolves when nothing is in hand. */
  async settled(): Promise<void> {
    while (this.#inHand.size > 0) await Promise.allSettled(this.#inHand.values());
  }

  async #handle(item: Item, takeovers: number): Promise<Handled> {
    const { recording, stop } = this.#parts;
    const answering = this.#asThingsAre();
    try {
      const { outcome, free }: Answer =
        takeovers < MOST_TAKEOVERS
          ? await answerItem(item, answering)
          : { outcome: workerLost(item), free: () => {} };
      try {
        await recording.record(outcome);
      } finally {
        free();
      }
      return "done";
    } catch (error) {
      const { stopping, ending } = answering;
      if (error !== stopping.reason && error !== ending.reason) stop(asRunStopped(error));
      return "back";
    } finally {
      this.#inHand.delete(item.index);
    }
  }

  /** The same for all items between one pause and the next. */
  #asThingsAre(): Answering {
    const { answering, hold } = this.#parts;
    if (this.#answering.stopping !== hold.signal) {
      this.#answering = { ...answering, stopping: hold.signal };
    }
    return this.#answering;
  }
}
