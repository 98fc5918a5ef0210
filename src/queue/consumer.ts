import { type Job, WaitingError, Worker } from "bullmq";

import type { Item } from "../item.ts";
import { queueName, type RunPlace } from "./keys.ts";
import { type Parcel, unpack } from "./parcel.ts";
import { Takeovers } from "./takeovers.ts";

/** What the owner's own consumer is called: with the owner, it dies too. */
export const OWNER_NAME = "owner";

/** A worker that has not renewed its hold on an item for this long has died with it. */
const LOCK_MS = 20_000;
/** So long after it was renewed, a hold is certainly still there. */
export const SURE_MS = LOCK_MS - 1_000;
/** With the lock, an item of a dead worker is taken over within 27 s. */
const STALLED_CHECK_MS = 7_000;
/** How long one blocking look at an empty queue lasts, in seconds; closing does not wait for it. */
const DRAIN_DELAY_S = 5;

/** One item as it was handed out. */
export interface Handed {
  readonly item: Item;
  /** Workers that died with this item in a row. */
  readonly takeovers: number;
  /** Names this handing out, where the item may have been handed out again since. */
  readonly token: string;
}

/**
 * `done`: it is over and forgotten. `back`: the next who asks gets it. `lost`: somebody else may
 * have it already.
 */
export type Handled = "done" | "back" | "lost";

/** Takes items from a run's queue and hands them on, several at once. */
export interface Consumer {
  start(): void;
  /** How many items may be in hand at once from now on. */
  setCapacity(items: number): void;
  /** Takes no more items until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Takes no more items and resolves when those in hand have been handed back by `handle`. */
  close(): Promise<void>;
  /** Lets go of Redis: for one that does not answer. Nothing tells when that has happened. */
  abandon(): void;
}

export interface ConsumerOptions extends RunPlace {
  /** Who takes the items. */
  readonly name: string;
  /** How many items may be in hand at once. */
  readonly capacity: number;
  /** Must not throw for an outcome. */
  readonly handle: (handed: Handed) => Promise<Handled>;
  /** The holds of these handings out were renewed. */
  readonly onRenewed?: (jobIds: readonly string[]) => void;
  /** These could not be: they may be in somebody else's hands. */
  readonly onLost?: (jobIds: readonly string[]) => void;
  readonly onError: (error: Error) => void;
}

export function consumeRunQueue(options: ConsumerOptions): Consumer {
  const { runId, connection, prefix, name, capacity, handle, onError } = options;
  const holds = new Takeovers(options);
  const worker = new Worker<Parcel>(
    queueName(runId),
    async (job: Job<Parcel>, token = "") => {
      const { id = "", data } = job;
      const takeovers = await holds.deaths(id, job.stalledCounter);
      const handled = await holds.holding(id, () =>
        handle({ item: unpack(data), takeovers, token }),
      );
      if (handled === "done") return;
      if (handled === "back") await job.moveToWait(token).catch(onError);
      throw new WaitingError();
    },
    {
      connection,
      prefix,
      name,
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
  const { onRenewed, onLost } = options;
  if (onRenewed) worker.on("locksRenewed", ({ jobIds }) => onRenewed(jobIds));
  worker.on("lockRenewalFailed", (ids) => {
    holds.lost(ids).catch(onError);
    onLost?.(ids);
  });

  let closing: Promise<void> | undefined;
  return {
    start: () => {
      worker.run().catch(onError);
    },
    setCapacity: (items) => {
      worker.concurrency = Math.max(1, items);
    },
    pause: () => {
      worker.pause(true).catch(onError);
    },
    resume: () => {
      worker.resume().catch(onError);
    },
    close: () => (closing ??= worker.close()),
    abandon: () => {
      // Where a proper close is under way, this is its promise, which may never settle.
      worker.close(true).catch(onError);
    },
  };
}
