import { setTimeout as sleep } from "node:timers/promises";

import { type Job, WaitingError, Worker } from "bullmq";

import { messageOf } from "../errors.ts";
import type { Item } from "../item.ts";
import { queueName, type RunPlace } from "./keys.ts";
import { type Load, unpack } from "./parcel.ts";
import { Room } from "./room.ts";
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
/** After a look that failed with its connection; BullMQ's own 15 s would be lost once it is back. */
const LOOK_AGAIN_MS = 1_000;

/** One item as it was handed out. */
export interface Handed {
  readonly item: Item;
  /** The id of the parcel that it came in. */
  readonly parcel: string;
  /** Workers that have died with this item. */
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
  /**
   * How many items a parcel may hold. Whoever takes them one by one drops a parcel of several: its
   * owner sees that it is gone, knows what it has of it in hand, and puts the others back.
   *
   * @default 1
   */
  readonly together?: number;
  /** Must not throw for an outcome. */
  readonly handle: (handed: Handed) => Promise<Handled>;
  /**
   * An item of a parcel of several is back. The parcel does not go on with it, in hand or handed out
   * again: whoever put it in puts the item into the queue anew.
   */
  readonly onBack?: (item: Item) => void;
  /** The holds of these handings out were renewed. */
  readonly onRenewed?: (jobIds: readonly string[]) => void;
  /** These could not be: they may be in somebody else's hands. */
  readonly onLost?: (jobIds: readonly string[]) => void;
  readonly onError: (error: Error) => void;
}

export function consumeRunQueue(options: ConsumerOptions): Consumer {
  const { runId, connection, prefix, name, together = 1, handle } = options;
  const { onBack, onRenewed, onLost, onError } = options;
  const room = new Room(options.capacity, together);
  const fit = (): void => {
    worker.concurrency = room.fit();
  };
  const holds = new Takeovers(options);
  const work = async (job: Job<Load>, token = ""): Promise<void> => {
    const items = unpack(job.data);
    if (items.length > together) return;
    const { id: parcel = "", stalledCounter } = job;
    const [only] = items.length === 1 ? items : [];
    // Only the owner takes several, and with it its run dies: nobody else has died with these.
    const takeovers = only === undefined ? 0 : await holds.deaths(parcel, stalledCounter);
    const held = room.take(items.length);
    const take = (item: Item): Promise<Handled> =>
      handle({ item, parcel, takeovers, token }).finally(() => room.itemOver(held));
    fit();
    try {
      if (only !== undefined) {
        const handled = await holds.holding(parcel, () => take(only));
        if (handled === "done") return;
        if (handled === "back") await job.moveToWait(token).catch(onError);
        throw new WaitingError();
      }
      const takeOne = async (item: Item): Promise<void> => {
        if ((await take(item)) !== "done") onBack?.(item);
      };
      await Promise.race([Promise.all(items.map(takeOne)), held.letGo]);
    } finally {
      room.gone(held);
      fit();
    }
  };
  const open = (): Worker<Load> => {
    const opened = new Worker<Load>(queueName(runId), work, {
      connection,
      prefix,
      name,
      autorun: false,
      concurrency: room.fit(),
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      drainDelay: DRAIN_DELAY_S,
      runRetryDelay: LOOK_AGAIN_MS,
      // By default BullMQ fails a job unseen when its worker dies a second time.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    opened.on("error", onError);
    if (onRenewed) opened.on("locksRenewed", ({ jobIds }) => onRenewed(jobIds));
    opened.on("lockRenewalFailed", (ids) => {
      holds.lost(ids).catch(onError);
      onLost?.(ids);
    });
    return opened;
  };

  let worker = open();
  let isReady = false;
  let isPaused = false;
  let closing: Promise<void> | undefined;
  const begin = async (): Promise<void> => {
    for (;;) {
      try {
        await worker.waitUntilReady();
        break;
      } catch (error) {
        if (closing !== undefined) return;
        onError(error instanceof Error ? error : new Error(messageOf(error)));
      }
      // BullMQ never gets over a connection that is lost while it is being opened.
      worker.close(true).catch(onError);
      await sleep(LOOK_AGAIN_MS, undefined, { ref: false });
      if (closing !== undefined) return;
      worker = open();
    }
    isReady = true;
    if (isPaused) await worker.pause(true);
    else await worker.run();
  };
  return {
    start: () => {
      begin().catch(onError);
    },
    setCapacity: (items) => {
      room.capacity = items;
      fit();
    },
    pause: () => {
      isPaused = true;
      worker.pause(true).catch(onError);
    },
    resume: () => {
      isPaused = false;
      if (isReady) worker.resume().catch(onError);
    },
    close: () => (closing ??= worker.close()),
    abandon: () => {
      closing ??= Promise.resolve();
      // Where a proper close is under way, this is its promise, which may never settle.
      worker.close(true).catch(onError);
    },
  };
}
