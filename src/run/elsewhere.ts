import type { RunQueue } from "../queue/run-queue.ts";

// An item goes from the queue into a worker's hands, and its answer from there through a stream to
// the owner. Who looks for it must look in that order: what leaves one place in between is found in
// the next. The other way round, it slips by and is bought again.

/** The part of a run that takes place elsewhere. */
export interface Elsewhere {
  /** Whether a worker is there who may take items. */
  hasWorkers(): boolean;
  /** What workers say they have in hand. */
  claimed(signal: AbortSignal): Promise<ReadonlySet<number>>;
  /** Records what workers have sent so far. */
  caughtUp(): Promise<void>;
}

/**
 * Takes up what an earlier sitting left: records the outcomes that wait.
 *
 * @returns the items that workers have in hand; nothing else is in the queue any more.
 */
export async function takeUp(
  queue: Pick<RunQueue, "tidy">,
  elsewhere: Pick<Elsewhere, "claimed" | "caughtUp">,
  signal: AbortSignal,
): Promise<ReadonlySet<number>> {
  const inHand = await queue.tidy();
  const claimed = await elsewhere.claimed(signal);
  await elsewhere.caughtUp();
  return new Set([...inHand, ...claimed]);
}
