import type { KnownAnswers } from "../../ledger/known-answers.ts";
import type { Wanted } from "../../ledger/select.ts";
import { asInterruption, asRunStopped } from "../as-run-stopped.ts";
import type { WorkParts } from "../work-parts.ts";
import { NO_WORK, work, type Worked } from "../work.ts";
import { carryOver } from "./carry-over.ts";
import type { RequestTable } from "./request-table.ts";
import { Sharing } from "./share-answers.ts";

/**
 * Brings every wanted item to its outcome and pays for nothing twice: what an earlier run has
 * answered is carried over, and where items ask the same, one of them is asked.
 *
 * @param known what earlier runs have answered; null where that does not count.
 * @returns as {@link work}.
 */
export async function askOnce(parts: WorkParts, known: KnownAnswers | null): Promise<Worked> {
  const { order, scan } = parts.scene;
  const { requests } = scan;
  if (requests === null) return work(parts);
  const signal = AbortSignal.any([order.signal, order.killSignal]);
  try {
    const left = known === null ? parts : await carryOver(parts, known, requests, signal);
    if (parts.wanted.size === 0) return NO_WORK;
    return order.job.dedupe ? await askLeaders(left, requests, signal) : await work(left);
  } catch (error) {
    const stop = signal.aborted ? asInterruption(signal.reason) : asRunStopped(error);
    return { ...NO_WORK, stop };
  }
}

/**
 * Items that share an answer come after all that ask: they hold no place in the window and no
 * memory. Each round asks one item of every request that has no answer yet.
 */
async function askLeaders(
  parts: WorkParts,
  requests: RequestTable,
  signal: AbortSignal,
): Promise<Worked> {
  const sharing = new Sharing(parts, requests);
  let worked = NO_WORK;
  try {
    for (let round = 0; ; round += 1) {
      const asking = await sharing.handOn(round, signal);
      if (asking === 0) return worked;
      const wasLeft = round === 0 ? parts.wasLeft : worked.inRedis === true;
      worked = await work({ ...parts, wasLeft, ...leadersAmong(parts.wanted, requests, asking) });
      if (worked.stop !== null) return worked;
    }
  } finally {
    sharing.close();
  }
}

/**
 * Only those are asked that ask for all the others, and only they are waited for. An outcome that
 * comes for another one, as from a worker of an earlier sitting, is welcome all the same.
 */
function leadersAmong(
  wanted: Wanted,
  requests: RequestTable,
  count: number,
): Pick<WorkParts, "wanted" | "asking"> {
  let size = count;
  const leads = (index: number): boolean => requests.leaderOf(index) === index;
  return {
    wanted: {
      before: wanted.before,
      get size() {
        return size;
      },
      has: (index) => wanted.has(index),
      done: (index) => {
        wanted.done(index);
        if (leads(index)) size -= 1;
      },
    },
    asking: { has: (index) => wanted.has(index) && leads(index) },
  };
}
