import { UsageError } from "../errors.ts";
import type { RunPlace } from "../queue/keys.ts";
import { countOutcomes } from "../queue/outcome-stream.ts";
import {
  forgetRun,
  type KnownRun,
  listRuns,
  readRun,
  type RunState,
  wantRun,
} from "../queue/run-info.ts";
import { openRunQueue } from "../queue/run-queue.ts";
import { type RedisOptions, withRedis } from "./with-redis.ts";

/** What is to become of a run. */
export type Steering = "pause" | "resume" | "cancel";

/** What came of it. */
export interface Steered {
  readonly run_id: string;
  readonly state: RunState;
  /** Whether the process that records the run is there; without one, nothing is recorded. */
  readonly has_owner: boolean;
  /** False where it was so already. */
  readonly changed: boolean;
}

const WANTED: Readonly<Record<Steering, RunState>> = {
  pause: "paused",
  resume: "running",
  cancel: "cancelled",
};

/**
 * Steers a run on a shared Redis from any machine.
 *
 * @throws UsageError when there is no such run, or it cannot go on.
 */
export function steerRun(
  steering: Steering,
  runId: string,
  options: RedisOptions,
): Promise<Steered> {
  return withRedis(`\`nightshift ${steering}\` steers a run`, options, async (base) => {
    const place = { ...base, runId };
    const run = await readRun(place);
    if (run === null || run.state === "ended") {
      throw unknownRun(runId, await listRuns(base), run !== null);
    }
    const over = run.state === "cancelled" || run.state === "stopped";
    if (over && steering !== "cancel") {
      throw new UsageError(
        `run ${runId} was ${run.state}, and its owner has left: ` +
          "`nightshift run` with the same job goes on with it.",
      );
    }
    const state = WANTED[steering];
    const changed = run.state !== state;
    if (changed) await wantRun(place, state);
    await means(place, steering, run);
    return { run_id: runId, state, has_owner: run.hasOwner, changed };
  });
}

/** The queue's own pause only makes it quick: what counts is what is wanted of the run. */
async function means(place: RunPlace, steering: Steering, run: KnownRun): Promise<void> {
  const queue = openRunQueue(place, () => {});
  try {
    if (steering === "resume") await queue.resume();
    else await queue.pause();
    if (steering !== "cancel" || run.hasOwner) return;
    // Nobody else would tidy up. Answers that are paid for wait for the owner, should it come back.
    const inHand = await queue.tidy();
    if (inHand.length > 0 || (await countOutcomes(place)) > 0) return;
    await queue.clear();
    await forgetRun(place, false);
  } finally {
    await queue.close();
  }
}

function unknownRun(runId: string, runs: readonly KnownRun[], hasEnded: boolean): UsageError {
  if (hasEnded) return new UsageError(`run ${runId} has ended: there is nothing to steer`);
  const names = runs.map((run) => run.runId);
  return new UsageError(
    `there is no run ${runId} on this Redis` +
      (names.length === 0 ? ", and no other." : `; there are: ${names.join(", ")}.`) +
      " A run without --redis is steered by Ctrl-C where it runs.",
  );
}
