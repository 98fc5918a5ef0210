import { messageOf } from "../errors.ts";
import type { Item } from "../item.ts";
import type { Connection } from "../queue/connection.ts";
import { consumeRunQueue, openRunQueue } from "../queue/run-queue.ts";
import { Window } from "../queue/window.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import { untilStopped } from "../system/until-stopped.ts";
import { asRunStopped } from "./as-run-stopped.ts";
import type { OnRunEvent } from "./events.ts";
import { Handling, type HandlingParts } from "./handling.ts";
import { watchRedis } from "./redis-watch.ts";
import { Refill } from "./refill.ts";

/** What one process does for a run between start and stop. */
export interface SittingParts extends HandlingParts {
  readonly runId: string;
  readonly connection: Connection;
  /** What all keys in Redis begin with. */
  readonly prefix: string;
  /** Items in hand at once: those that wait to try again hold no slot, so more than are in flight. */
  readonly capacity: number;
  /** False leaves the calling to workers elsewhere. */
  readonly works: boolean;
  /** The items to bring to an outcome, in input order. */
  readonly items: AsyncIterable<readonly Item[]>;
  readonly clock: Clock;
  readonly log: Log;
  readonly onEvent: OnRunEvent;
}

const CHUNK_ITEMS = 250;
const LOST_CHECK_MS = 60_000;
/** How long Redis may take to tidy up after a sitting. */
const LEAVE_MS = 5_000;

/**
 * Brings every pending item through the queue to its outcome.
 *
 * @returns when all are recorded, or when the stopping signal has aborted and what was in flight
 *   is recorded.
 */
export async function sit(parts: SittingParts): Promise<void> {
  const { answering, connection, prefix, log } = parts;
  const { stopping } = answering;
  const window = new Window();
  const onQueueError = (error: Error): void => {
    // Redis may come and go, and forget: the ledger knows what is done and the window what is not.
    log.debug({ event: "queue.error", error: messageOf(error) }, "the queue had trouble");
  };
  const queue = openRunQueue(parts.runId, connection, prefix, onQueueError);
  const handling = new Handling(parts, window);
  const consumer = parts.works
    ? consumeRunQueue(
        parts.runId,
        connection,
        prefix,
        parts.capacity,
        handling.handle,
        onQueueError,
      )
    : null;
  const refill = new Refill(queue, window, (index) => handling.has(index), log);
  const unwatch = watchRedis({ ...parts, onBack: () => refill.soon() });
  let cancelCheck = (): void => {};
  const check = (): void => {
    refill.soon();
    cancelCheck = parts.clock.after(LOST_CHECK_MS, check);
  };
  cancelCheck = parts.clock.after(LOST_CHECK_MS, check);

  try {
    // What an earlier sitting left in the queue is in the ledger or comes again.
    await untilStopped(queue.clear().catch(onQueueError), stopping);
    consumer?.start();
    const add = async (items: readonly Item[]): Promise<void> => {
      try {
        await untilStopped(queue.add(items), stopping);
      } catch (error) {
        if (stopping.aborted) throw error;
        // They are in the window: what Redis did not take is put back when it can.
        log.warn({ event: "queue.refused", error: messageOf(error) }, "Redis refused items");
        refill.soon();
      }
    };
    await enqueue(parts.items, add, window, stopping);
    refill.soon();
    await untilStopped(window.empty(), stopping);
  } catch (error) {
    if (!stopping.aborted) parts.stop(asRunStopped(error));
  } finally {
    cancelCheck();
    unwatch();
    await handling.settled();
    const inTime =
      connection.status === "ready" &&
      (await within(LEAVE_MS, parts.clock, async () => {
        await Promise.all([consumer?.close(), refill.settled()]);
        await queue.clear();
      }));
    if (inTime) await queue.close().catch(onQueueError);
    else {
      // The ledger has everything: a Redis that does not answer must not hold the process.
      connection.disconnect();
      consumer?.abandon();
    }
  }
}

/** Feeds the queue as fast as the window has room. */
async function enqueue(
  items: AsyncIterable<readonly Item[]>,
  add: (items: readonly Item[]) => Promise<void>,
  window: Window,
  stopping: AbortSignal,
): Promise<void> {
  let chunk: Item[] = [];
  const flush = async (): Promise<void> => {
    const adding = chunk;
    chunk = [];
    if (adding.length > 0) await add(adding);
  };
  for await (const batch of items) {
    for (const item of batch) {
      if (!window.fits(item)) {
        await flush();
        await untilStopped(window.room(item), stopping);
      }
      window.put(item);
      chunk.push(item);
      if (chunk.length >= CHUNK_ITEMS) await flush();
    }
    stopping.throwIfAborted();
  }
  await flush();
}

/** Whether an action ended well in time. */
async function within(ms: number, clock: Clock, act: () => Promise<void>): Promise<boolean> {
  const patience = new AbortController();
  const failed = (): boolean => false;
  try {
    return await Promise.race([
      act().then(() => true, failed),
      clock.sleep(ms, patience.signal).then(failed, failed),
    ]);
  } finally {
    patience.abort();
  }
}
