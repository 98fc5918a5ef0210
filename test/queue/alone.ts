import type { Item } from "../../src/item.ts";
import { jobId } from "../../src/queue/keys.ts";
import { alone } from "../../src/queue/parcel.ts";
import type { RunQueue } from "../../src/queue/run-queue.ts";

/** Adds items that travel alone. */
export function addAlone(queue: Pick<RunQueue, "add">, items: readonly Item[]): Promise<void> {
  return queue.add(items.map(alone));
}

/** Which of these items, each of which travelled alone, the queue does not know. */
export async function missingAlone(
  queue: Pick<RunQueue, "missing">,
  indexes: readonly number[],
): Promise<number[]> {
  const missing = await queue.missing(indexes.map(jobId));
  return indexes.filter((index) => missing.has(jobId(index)));
}
