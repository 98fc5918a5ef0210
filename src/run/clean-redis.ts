import { startQueueServer } from "../queue/server.ts";
import { forgetStaleRuns } from "../queue/stale-runs.ts";
import type { RedisAccess } from "../system/env.ts";
import { listRuns } from "./directory.ts";

/**
 * Forgets what runs without an owner have left on a shared Redis, all but those that are unfinished
 * in this directory.
 *
 * @param removed ids of runs whose directory has just been removed: they were finished.
 * @returns the ids of the runs that were forgotten.
 */
export async function cleanRedis(
  redis: RedisAccess,
  directory: string,
  removed: ReadonlySet<string>,
  { dryRun, signal }: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<string[]> {
  const runs = (await listRuns(directory)).map(({ manifest }) => manifest);
  const unfinished = new Set(
    runs.filter(({ state }) => state !== "finished").map(({ run_id: id }) => id),
  );
  const finished = new Set(
    runs.filter(({ state }) => state === "finished").map(({ run_id: id }) => id),
  );
  const server = await startQueueServer(redis, signal);
  try {
    return await forgetStaleRuns(server, {
      isKept: (id) => unfinished.has(id),
      isOver: (id) => removed.has(id) || finished.has(id),
      dryRun,
    });
  } finally {
    await server.close();
  }
}
