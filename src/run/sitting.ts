import { messageOf, RunStopped } from "../errors.ts";
import { type Answer, answerItem, type Answering } from "../gateway/answer-item.ts";
import type { Item } from "../item.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Outcome } from "../outcome.ts";
import type { Connection } from "../queue/connection.ts";
import { consumeRunQueue, openRunQueue, type RunQueue } from "../queue/run-queue.ts";
import { Window } from "../queue/window.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";

/** What one process does for a run between start and stop. */
export interface SittingParts {
  readonly runId: string;
  readonly connection: Connection;
  readonly ledger: Ledger;
  readonly answering: Answering;
  /** Items in hand at once: those that wait to try again hold no slot, so more than are in flight. */
  readonly capacity: number;
  /** False leaves the calling to workers elsewhere. */
  readonly works: boolean;
  /** The items to bring to an outcome, in input order. */
  readonly items: AsyncIterable<readonly Item[]>;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the sitting early; what is in flight is still recorded. */
  readonly stop: (reason: RunStopped) => void;
  readonly onOutcome: (outcome: Outcome) => void;
}

const CHUNK_ITEMS = 250;
const LOST_CHECK_MS = 60_000;
/** How long Redis may take to tidy up after a sitting. */
const LEAVE_MS = 5_000;
/** An item that took down this many workers in a row is not given to another. */
const MOST_TAKEOVERS = 5;

/**
 * Brings every pending item through the queue to its outcome.
 *
 * @returns when all are recorded, or when the stopping signal has aborted and what was in flight
 *   is recorded.
 */
export async function sit(parts: SittingParts): Promise<void> {
  const { answering, connection, log } = parts;
  const { stopping } = answering;
  const window = new Window();
  const onQueueError = (error: Error): void => {
    // Redis may come and go, and forget: the ledger knows what is done and the window what is not.
    log.debug({ event: "queue.error", error: messageOf(error) }, "the queue had trouble");
  };
  const queue = openRunQueue(parts.runId, connection, onQueueError);
  const handling = new Handling(parts, window);
  const consumer = parts.works
    ? consumeRunQueue(parts.runId, connection, parts.capacity, handling.handle, onQueueError)
    : null;
  const refill = new Refill(queue, window, handling, log);
  const onReady = (): void => {
    log.info({ event: "redis.back" }, "Redis is back");
    refill.soon();
  };
  const onClose = (): void => log.warn({ event: "redis.lost" }, "the connection to Redis is lost");
  connection.on("ready", onReady);
  connection.on("close", onClose);
  let cancelCheck = (): void => {};
  const check = (): void => {
    refill.soon();
    cancelCheck = parts.clock.after(LOST_CHECK_MS, check);
  };
  cancelCheck = parts.clock.after(LOST_CHECK_MS, check);

  const leave = async (): Promise<void> => {
    const properly = async (): Promise<void> => {
      await Promise.all([consumer?.close(), refill.settled()]);
      await queue.clear();
    };
    const patience = new AbortController();
    // The ledger has everything: a Redis that does not answer must not hold the process.
    const inTime =
      connection.status === "ready" &&
      (await Promise.race([
        properly().then(
          () => true,
          () => false,
        ),
        parts.clock.sleep(LEAVE_MS, patience.signal).then(
          () => false,
          () => false,
        ),
      ]));
    patience.abort();
    if (inTime) await queue.close().catch(onQueueError);
    else {
      connection.disconnect();
      await consumer?.abandon().catch(onQueueError);
    }
  };

  try {
    // What an earlier sitting left in the queue is in the ledger or comes again.
    await untilStopped(queue.clear(), stopping);
    consumer?.start();
    await enqueue(parts.items, queue, window, stopping);
    refill.soon();
    while (window.size > 0) await untilStopped(window.released(), stopping);
  } catch (error) {
    if (!stopping.aborted) throw error;
  } finally {
    cancelCheck();
    connection.off("ready", onReady);
    connection.off("close", onClose);
    await handling.settled();
    await leave();
  }
}

/** Feeds the queue as fast as the window has room. */
async function enqueue(
  items: AsyncIterable<readonly Item[]>,
  queue: RunQueue,
  window: Window,
  stopping: AbortSignal,
): Promise<void> {
  let chunk: Item[] = [];
  const flush = async (): Promise<void> => {
    const adding = chunk;
    chunk = [];
    if (adding.length > 0) await untilStopped(queue.add(adding), stopping);
  };
  for await (const batch of items) {
    for (const item of batch) {
      while (!window.fits(item)) {
        await flush();
        await untilStopped(window.released(), stopping);
      }
      window.put(item);
      chunk.push(item);
      if (chunk.length >= CHUNK_ITEMS) await flush();
    }
    stopping.throwIfAborted();
  }
  await flush();
}

/** Takes items from the queue to their outcome. */
class Handling {
  readonly #parts: SittingParts;
  readonly #window: Window;
  readonly #inHand = new Map<number, Promise<void>>();

  constructor(parts: SittingParts, window: Window) {
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
      stop(asStop(error));
    }
  }
}

/** Puts back what Redis has lost. */
class Refill {
  readonly #queue: RunQueue;
  readonly #window: Window;
  readonly #handling: Handling;
  readonly #log: Log;
  #running: Promise<void> | undefined;

  constructor(queue: RunQueue, window: Window, handling: Handling, log: Log) {
    this.#queue = queue;
    this.#window = window;
    this.#handling = handling;
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
    const waiting = this.#window.indexes().filter((index) => !this.#handling.has(index));
    if (waiting.length === 0) return;
    const missing = await this.#queue.missing(waiting);
    const lost = missing
      .filter((index) => !this.#handling.has(index))
      .flatMap((index) => this.#window.get(index) ?? []);
    if (lost.length === 0) return;
    this.#log.warn({ event: "items.lost", count: lost.length }, "Redis lost items: put back");
    for (let at = 0; at < lost.length; at += CHUNK_ITEMS) {
      await this.#queue.add(lost.slice(at, at + CHUNK_ITEMS));
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

function asStop(error: unknown): RunStopped {
  if (error instanceof RunStopped) return error;
  return new RunStopped(
    "internal",
    `an unexpected error: ${messageOf(error)}`,
    "Run the same command again: it goes on where it stopped. Please report the stack in run.log.",
    error,
  );
}

/** The promise's value, unless the signal aborts first: then its reason is thrown. */
async function untilStopped<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop = (): void => {};
  const stopped = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
    promise.catch(() => {});
  }
}
