import type { Wanted } from "../../ledger/select.ts";
import { asInterruption, asRunStopped } from "../as-run-stopped.ts";
import type { WorkParts } from "../work-parts.ts";
import { NO_WORK, work, type Worked } from "../work.ts";
import type { RequestTable } from "./request-table.ts";
import { Sharing } from "./share-answers.ts";

/**
 * Brings every wanted item to its outcome, and where items ask the same, asks one of them. Those
 * that share its answer come after all that ask: they hold no place in the window and no memory.
 *
 * @returns as {@link work}.
 */
export async function askOnce(parts: WorkParts): Promise<Worked> {
  const { order, scan } = parts.scene;
  const { requests } = scan;
  if (requests === null) return work(parts);
  const signal = AbortSignal.any([order.signal, order.killSignal]);
  const sharing = new Sharing(parts, requests);
  let worked = NO_WORK;
  try {
    // Each round asks one item of every request that has no answer yet.
    for (let round = 0; ; round += 1) {
      const asking = await sharing.handOn(round, signal);
      if (asking === 0) return worked;
      worked = await work({ ...parts, wanted: leadersAmong(parts.wanted, requests, asking) });
      if (worked.stop !== null) return worked;
    }
  } catch (error) {
    const stop = signal.aborted ? asInterruption(signal.reason) : asRunStopped(error);
    return { ...worked, stop };
  } finally {
    sharing.close();
  }
}

/** The wanted items that ask, for themselves and all that ask the same. */
function leadersAmong(wanted: Wanted, requests: RequestTable, count: number): Wanted {
  let size = count;
  return {
    before: wanted.before,
    get size() {
      return size;
    },
    has: (index) => wanted.has(index) && requests.leaderOf(index) === index,
    done: (index) => {
      wanted.done(index);
      size -= 1;
    },
  };
}
