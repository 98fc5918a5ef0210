import type { RunStopped } from "../errors.ts";
import { type Answer, answerItem, type Answering } from "../gateway/answer-item.ts";
import type { Item } from "../item.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Outcome } from "../outcome.ts";
import type { Window } from "../queue/window.ts";
import { asRunStopped } from "./as-run-stopped.ts";

/** What handling an item takes. */
export interface HandlingParts {
  readonly ledger: Ledger;
  readonly answering: Answering;
  /** Ends the sitting early; what is in flight is still recorded. */
  readonly stop: (reason: RunStopped) => void;
  readonly onOutcome: (outcome: Outcome) => void;
}

/** An item that took down this many workers in a row is not given to another. */
const MOST_TAKEOVERS = 5;

/** Takes items from the queue to their outcome. */
export class Handling {
  readonly #parts: HandlingParts;
  readonly #window: Window;
  readonly #inHand = new Map<number, Promise<void>>();

  constructor(parts: HandlingParts, window: Window) {
    this.#parts = parts;
    this.#window = window;
  }

  has(index: number): boolean {
    return this.#inHand.has(index);
  }

  /** Never throws: for BullMQ every item it hands out ends well, and the ledger knows how. */
  readonly handle = (item: Item, takeovers: number): Promise<void> => {
    // BullMQ may hand out an item twice, after a pause of the machine or a lost lock.
    const inHand = this.#inHand.get(item.index);
    if (inHand !== undefined) return inHand;
    if (!this.#window.has(item.index)) return Promise.resolve();
    const handled = this.#handle(item, takeovers).finally(() => this.#inHand.delete(item.index));
    this.#inHand.set(item.index, handled);
    return handled;
  };

  /** Resolves when nothing is in hand. */
  async settled(): Promise<void> {
    while (this.#inHand.size > 0) await Promise.allSettled(this.#inHand.values());
  }

  async #handle(item: Item, takeovers: number): Promise<void> {
    const { answering, ledger, stop, onOutcome } = this.#parts;
    try {
      const { outcome, free }: Answer =
        takeovers < MOST_TAKEOVERS ? await answerItem(item, answering) : workerLost(item);
      try {
        await ledger.record(outcome);
      } finally {
        free();
      }
      this.#window.release(item.index);
      onOutcome(outcome);
    } catch (error) {
      if (error === answering.stopping.reason || error === answering.ending.reason) return;
      stop(asRunStopped(error));
    }
  }
}

function workerLost(item: Item): Answer {
  return {
    outcome: {
      kind: "failed",
      class: "item",
      index: item.index,
      customId: item.customId,
      attempts: MOST_TAKEOVERS,
      ms: 0,
      possiblyBilled: MOST_TAKEOVERS,
      retries: {},
      response: null,
      error: {
        code: "worker_lost",
        message: `${MOST_TAKEOVERS} workers in a row died while they had this item`,
      },
    },
    free: () => {},
  };
}
