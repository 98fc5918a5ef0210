import { type Place, outcomesKey } from "./keys.ts";
import { forgetRun, listRuns } from "./run-info.ts";
import { openRunQueue } from "./run-queue.ts";

/**
 * Forgets what runs have left on a shared Redis whose owner is gone: a queue is filled again from
 * the input. Never one with outcomes on their way, which are paid for and nowhere else, unless
 * `isOver` knows that their owner has them.
 *
 * @param isKept says no to a run that somebody means to go on with.
 * @returns the ids of the runs.
 */
export async function forgetStaleRuns(
  place: Place,
  {
    isKept,
    isOver,
    dryRun,
  }: {
    readonly isKept: (runId: string) => boolean;
    readonly isOver: (runId: string) => boolean;
    readonly dryRun: boolean;
  },
): Promise<string[]> {
  const forgotten: string[] = [];
  for (const { runId, hasOwner } of await listRuns(place)) {
    if (hasOwner || isKept(runId)) continue;
    const run = { ...place, runId };
    if (!isOver(runId) && (await place.connection.xlen(outcomesKey(run))) > 0) continue;
    forgotten.push(runId);
    if (dryRun) continue;
    const queue = openRunQueue(run, () => {});
    try {
      await queue.clear();
      await forgetRun(run, false);
    } finally {
      await queue.close();
    }
  }
  return forgotten;
}
