import { countOutcomes } from "../queue/outcome-stream.ts";
import { type KnownRun, listRuns } from "../queue/run-info.ts";
import { queueDepth } from "../queue/run-queue.ts";
import { redisMemory } from "../queue/server-memory.ts";
import { workersOnline } from "../queue/worker-roll.ts";
import { type RedisOptions, withRedis } from "./with-redis.ts";

/** A run on the shared Redis, as it is seen from any machine. */
export interface SharedRun {
  readonly run_id: string;
  readonly job: string | null;
  readonly state: KnownRun["state"];
  readonly total: number | null;
  readonly completed: number | null;
  readonly failed: number | null;
  readonly items_per_second: number | null;
  /** The host of the process that records it; null while there is none. */
  readonly owner: string | null;
  /** Workers that have calls for it in flight. */
  readonly workers: number;
  /** Calls that workers have in flight. */
  readonly in_flight: number;
  /** Items in Redis that wait, and that somebody has in hand. */
  readonly queued: number;
  readonly in_hand: number;
  /** Outcomes in Redis that the owner has not recorded yet. */
  readonly unrecorded: number;
}

/** What goes on on a shared Redis. */
export interface SharedStatus {
  readonly runs: readonly SharedRun[];
  readonly workers_online: number;
  /** Bytes that Redis uses in all; null where it does not say. */
  readonly redis_bytes: number | null;
}

/** @throws UsageError where no Redis is named, or none answers. */
export function readSharedStatus(options: RedisOptions): Promise<SharedStatus> {
  return withRedis("the runs of all machines are", options, async (place) => {
    const [runs, workers, bytes] = await Promise.all([
      listRuns(place),
      workersOnline(place),
      redisMemory(place.connection),
    ]);
    const shared = await Promise.all(
      runs.map(async ({ runId, terms, state, counts, hasOwner }): Promise<SharedRun> => {
        const own = { ...place, runId };
        const [depth, unrecorded] = await Promise.all([queueDepth(own), countOutcomes(own)]);
        const calls = workers.map(({ in_flight: inFlight }) => inFlight[runId] ?? 0);
        return {
          run_id: runId,
          job: terms?.job ?? null,
          state,
          total: counts?.total ?? null,
          completed: counts?.completed ?? null,
          failed: counts?.failed ?? null,
          items_per_second: hasOwner ? (counts?.items_per_second ?? null) : null,
          owner: hasOwner ? (terms?.host ?? null) : null,
          workers: calls.filter((inFlight) => inFlight > 0).length,
          in_flight: calls.reduce((sum, inFlight) => sum + inFlight, 0),
          queued: depth.waiting,
          in_hand: depth.inHand,
          unrecorded,
        };
      }),
    );
    return { runs: shared, workers_online: workers.length, redis_bytes: bytes };
  });
}
