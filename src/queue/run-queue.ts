import { Queue } from "bullmq";

import type { Item } from "../item.ts";
import { OWNER_NAME } from "./consumer.ts";
import { jobId, queueName, runBase, type RunPlace } from "./keys.ts";
import { pack, type Parcel } from "./parcel.ts";

const JOB_NAME = "item";
/** BullMQ writes an event per step; nobody listens, so it keeps next to none. */
const KEPT_EVENTS = 1;

/**
 * Takes out everything but what living workers elsewhere have in hand: those hold a lock, and an
 * earlier owner of the run is dead, since this one has the directory.
 */
const TIDY = `
local base, owner = KEYS[1], ARGV[1]
local function forget(id) redis.call("DEL", base .. ":" .. id, base .. ":" .. id .. ":lock") end
for _, list in ipairs({ base .. ":wait", base .. ":paused" }) do
  for _, id in ipairs(redis.call("LRANGE", list, 0, -1)) do forget(id) end
  redis.call("DEL", list)
end
local kept = {}
for _, id in ipairs(redis.call("LRANGE", base .. ":active", 0, -1)) do
  local holder = redis.call("HGET", base .. ":" .. id, "pb")
  if holder and holder ~= owner and redis.call("EXISTS", base .. ":" .. id .. ":lock") == 1 then
    table.insert(kept, tonumber(string.sub(id, 2)))
  else
    redis.call("LREM", base .. ":active", 0, id)
    redis.call("SREM", base .. ":stalled", id)
    forget(id)
  end
end
return kept
`;

/** How many items wait, and how many somebody has in hand. */
export interface QueueDepth {
  readonly waiting: number;
  readonly inHand: number;
}

/** The queue of one run: a durable to-do list that knows nothing of outcomes. */
export interface RunQueue {
  /** Adds items; one that is there already is left as it is. */
  add(items: readonly Item[]): Promise<void>;
  /** Which of these items the queue does not know (any more). */
  missing(indexes: readonly number[]): Promise<number[]>;
  /**
   * Forgets what waits, and what nobody living has in hand.
   *
   * @returns the items that workers elsewhere have in hand.
   */
  tidy(): Promise<readonly number[]>;
  /** Nobody takes another item until {@link resume}; those in hand are finished. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Forgets everything in the queue, and the queue. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

interface Scripted {
  nightshiftTidy(base: string, owner: string): Promise<number[]>;
}

export function openRunQueue(place: RunPlace, onError: (error: Error) => void): RunQueue {
  const { connection, prefix, runId } = place;
  const queue = new Queue<Parcel>(queueName(runId), {
    connection,
    prefix,
    streams: { events: { maxLen: KEPT_EVENTS } },
    // The ledger is the truth: a finished job leaves nothing behind, and since a job that stayed in
    // BullMQ's failed set would block its id for ever, a failed one neither.
    defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
  });
  queue.on("error", onError);
  connection.defineCommand("nightshiftTidy", { numberOfKeys: 1, lua: TIDY });
  // ioredis makes the method at run time.
  const scripted = connection as typeof connection & Scripted;
  return {
    add: async (items) => {
      await Promise.all([
        // BullMQ writes its limit once and forgets it with the rest when Redis is emptied.
        connection.hset(queue.toKey("meta"), "opts.maxLenEvents", KEPT_EVENTS),
        queue.addBulk(
          items.map((item) => ({
            name: JOB_NAME,
            data: pack(item),
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
    tidy: () => scripted.nightshiftTidy(runBase(place), OWNER_NAME),
    pause: () => queue.pause(),
    resume: () => queue.resume(),
    clear: () => queue.obliterate({ force: true }),
    close: () => queue.close(),
  };
}

/** How much is in a run's queue. */
export async function queueDepth(place: RunPlace): Promise<QueueDepth> {
  const base = runBase(place);
  const [waiting, inHand] = await Promise.all([
    place.connection.llen(`${base}:wait`),
    place.connection.llen(`${base}:active`),
  ]);
  return { waiting, inHand };
}
