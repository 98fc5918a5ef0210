import { Queue } from "bullmq";

import { OWNER_NAME } from "./consumer.ts";
import { queueName, runBase, type RunPlace } from "./keys.ts";
import { itemsUnder, type Load, pack, type Parcel } from "./parcel.ts";

const JOB_NAME = "item";
/** BullMQ writes an event per step; nobody listens, so it keeps next to none. */
const KEPT_EVENTS = 1;

/**
 * Takes out everything but what living workers elsewhere have in hand: those hold a lock, and an
 * earlier owner of the run is dead, since this one has the directory. A parcel of several that a
 * worker has got is about to be dropped.
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
  -- That of a parcel of several may look like a number in hexadecimal.
  local index = tonumber(string.match(id, "^i(%d+)$"))
  local holder = redis.call("HGET", base .. ":" .. id, "pb")
  local isHeld = redis.call("EXISTS", base .. ":" .. id .. ":lock") == 1
  if index and holder and holder ~= owner and isHeld then
    table.insert(kept, index)
  else
    redis.call("LREM", base .. ":active", 0, id)
    redis.call("SREM", base .. ":stalled", id)
    forget(id)
  end
end
return kept
`;

/** Takes out the parcels of several that wait, and those that somebody has got who will drop them. */
const DISBAND = `
local base, owner = KEYS[1], ARGV[1]
for _, name in ipairs({ "wait", "paused", "active" }) do
  local list = base .. ":" .. name
  for _, id in ipairs(redis.call("LRANGE", list, 0, -1)) do
    local job = base .. ":" .. id
    local isOwners = name == "active" and redis.call("HGET", job, "pb") == owner
    if string.find(id, "x", 1, true) and not isOwners then
      redis.call("LREM", list, 0, id)
      redis.call("SREM", base .. ":stalled", id)
      redis.call("DEL", job, job .. ":lock")
    end
  end
end
`;

/** How many items wait, and how many somebody has in hand. */
export interface QueueDepth {
  readonly waiting: number;
  readonly inHand: number;
}

/** The queue of one run: a durable to-do list that knows nothing of outcomes. */
export interface RunQueue {
  /** Adds parcels; one that is there already is left as it is. */
  add(parcels: readonly Parcel[]): Promise<void>;
  /** Which of these parcels, by their ids, the queue does not know (any more). */
  missing(ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Forgets the parcels of several but the owner's: somebody is there who does not work on such. */
  disband(): Promise<void>;
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
  nightshiftDisband(base: string, owner: string): Promise<null>;
}

export function openRunQueue(place: RunPlace, onError: (error: Error) => void): RunQueue {
  const { connection, prefix, runId } = place;
  const queue = new Queue<Load>(queueName(runId), {
    connection,
    prefix,
    streams: { events: { maxLen: KEPT_EVENTS } },
    // The ledger is the truth: a finished job leaves nothing behind, and since a job that stayed in
    // BullMQ's failed set would block its id for ever, a failed one neither.
    defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
  });
  queue.on("error", onError);
  connection.defineCommand("nightshiftTidy", { numberOfKeys: 1, lua: TIDY });
  connection.defineCommand("nightshiftDisband", { numberOfKeys: 1, lua: DISBAND });
  // ioredis makes the method at run time.
  const scripted = connection as typeof connection & Scripted;
  const put = async (parcels: readonly Parcel[]): Promise<void> => {
    await Promise.all([
      // BullMQ writes its limit once and forgets it with the rest when Redis is emptied.
      connection.hset(queue.toKey("meta"), "opts.maxLenEvents", KEPT_EVENTS),
      queue.addBulk(
        parcels.map((parcel) => ({
          name: JOB_NAME,
          data: pack(parcel),
          opts: { jobId: parcel.id },
        })),
      ),
    ]);
  };
  /** What is on its way is neither missing nor waiting yet. */
  let arrived = Promise.resolve();
  return {
    add: (parcels) => {
      const added = put(parcels);
      // Without their results, of which each would keep the one before.
      arrived = Promise.allSettled([arrived, added]).then(() => {});
      return added;
    },
    missing: async (ids) => {
      await arrived;
      const pipeline = connection.pipeline();
      for (const id of ids) pipeline.exists(queue.toKey(id));
      const replies = (await pipeline.exec()) ?? [];
      const missing = ids.filter((_, position) => {
        const [error, exists] = replies[position] ?? [];
        return error === null && exists === 0;
      });
      return new Set(missing);
    },
    disband: async () => {
      await arrived;
      await scripted.nightshiftDisband(runBase(place), OWNER_NAME);
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
  const [waiting, inHand] = await Promise.all(
    ["wait", "active"].map((list) => place.connection.lrange(`${base}:${list}`, 0, -1)),
  );
  return { waiting: countItems(waiting), inHand: countItems(inHand) };
}

function countItems(ids: readonly string[] = []): number {
  return ids.reduce((sum, id) => sum + itemsUnder(id), 0);
}
