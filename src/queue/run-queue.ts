import { type Job, Queue, Worker } from "bullmq";

import type { Item } from "../item.ts";
import type { Connection } from "./connection.ts";

/** What travels through Redis for one item. Short names: there are millions of them. */
interface Parcel {
  /** index */
  readonly i: number;
  /** custom id */
  readonly c: string;
  /** model */
  readonly m: string;
  /** request body */
  readonly b: string;
}

const JOB_NAME = "item";
/** BullMQ writes an event per step; nobody listens, so it keeps next to none. */
const KEPT_EVENTS = 1;
/** A worker that has not renewed its hold on an item for this long has died with it. */
const LOCK_MS = 30_000;
const STALLED_CHECK_MS = 10_000;
/** How long one blocking look at an empty queue lasts, in seconds; closing does not wait for it. */
const DRAIN_DELAY_S = 5;

/** The queue of one run: a durable to-do list that knows nothing of outcomes. */
export interface RunQueue {
  /** Adds items; one that is there already is left as it is. */
  add(items: readonly Item[]): Promise<void>;
  /** Which of these items the queue does not know (any more). */
  missing(indexes: readonly number[]): Promise<number[]>;
  /** Forgets everything in the queue, and the queue. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export function openRunQueue(
  runId: string,
  connection: Connection,
  prefix: string,
  onError: (error: Error) => void,
): RunQueue {
  const queue = new Queue<Parcel>(runId, {
    connection,
    prefix,
    streams: { events: { maxLen: KEPT_EVENTS } },
    // The ledger is the truth: a finished job leaves nothing behind, and since a job that stayed in
    // BullMQ's failed set would block its id for ever, a failed one neither.
    defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
  });
  queue.on("error", onError);
  return {
    add: async (items) => {
      await Promise.all([
        // BullMQ writes its limit once and forgets it with the rest when Redis is emptied.
        connection.hset(queue.toKey("meta"), "opts.maxLenEvents", KEPT_EVENTS),
        queue.addBulk(
          items.map((item) => ({
            name: JOB_NAME,
            data: { i: item.index, c: item.customId, m: item.model, b: item.body },
            opts: { jobId: jobId(item.index) },
          })),
        ),
      ]);
    },
    missing: async (indexes) => {
      const pipeline = connection.pipeline();
      for (const index of indexes) pipeline.exists(queue.toKey(jobId(index)));
      const replies = (await pipeline.exec()) ?? [];
      return indexes.filter((_, position) => {
        const [error, exists] = replies[position] ?? [];
        return error === null && exists === 0;
      });
    },
    clear: () => queue.obliterate({ force: true }),
    close: () => queue.close(),
  };
}

/** Takes items from a run's queue and hands them on, several at once. */
export interface Consumer {
  start(): void;
  /** Takes no more items and resolves when those in hand have been handed back by `handle`. */
  close(): Promise<void>;
  /** Lets go of Redis: for one that does not answer. Nothing tells when that has happened. */
  abandon(): void;
}

/**
 * @param capacity how many items may be in hand at once.
 * @param handle must not throw for an outcome: when it resolves, the item is done and forgotten.
 *   `takeovers` counts the workers that died with this item in a row.
 */
export function consumeRunQueue(
  runId: string,
  connection: Connection,
  prefix: string,
  capacity: number,
  handle: (item: Item, takeovers: number) => Promise<void>,
  onError: (error: Error) => void,
): Consumer {
  const worker = new Worker<Parcel>(
    runId,
    async (job: Job<Parcel>) => {
      const { i, c, m, b } = job.data;
      await handle({ index: i, customId: c, model: m, body: b }, job.stalledCounter);
    },
    {
      connection,
      prefix,
      autorun: false,
      concurrency: capacity,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      drainDelay: DRAIN_DELAY_S,
      // By default BullMQ fails a job unseen when its worker dies a second time.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    },
  );
  worker.on("error", onError);
  let closing: Promise<void> | undefined;
  return {
    start: () => {
      worker.run().catch(onError);
    },
    close: () => (closing ??= worker.close()),
    abandon: () => {
      // Where a proper close is under way, this is its promise, which may never settle.
      worker.close(true).catch(onError);
    },
  };
}

/** BullMQ refuses ids that are all digits. */
function jobId(index: number): string {
  return `i${index}`;
}
