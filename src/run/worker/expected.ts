import type { Place } from "../../queue/keys.ts";
import type { KnownRun } from "../../queue/run-info.ts";
import { queueDepth } from "../../queue/run-queue.ts";
import { chooseRun, type Taste } from "./choice.ts";

/**
 * Whether these runs may still bring a worker items: one that is alive, or has some left.
 *
 * @param stopped sittings that were told to stop.
 */
export async function areExpected(
  place: Place,
  runs: readonly KnownRun[],
  taste: Taste,
  stopped: ReadonlySet<string>,
): Promise<boolean> {
  for (const run of runs) {
    const choice = chooseRun(run, taste);
    if (choice.kind !== "serve" || stopped.has(choice.terms.sitting)) continue;
    if (run.hasOwner) return true;
    const { waiting, inHand } = await queueDepth({ ...place, runId: run.runId });
    if (waiting + inHand > 0) return true;
  }
  return false;
}
