import type { Item } from "../item.ts";
import type { Outcome } from "../outcome.ts";

/** An item that took down this many workers in a row is not given to another. */
export const MOST_TAKEOVERS = 5;

/** How an item ends that is deadly for those who take it, or that they cannot handle. */
export function workerLost(
  { index, customId }: Item,
  message = `${MOST_TAKEOVERS} workers in a row died while they had this item`,
): Outcome {
  return {
    kind: "failed",
    class: "item",
    index,
    customId,
    attempts: MOST_TAKEOVERS,
    ms: 0,
    possiblyBilled: MOST_TAKEOVERS,
    retries: {},
    response: null,
    error: { code: "worker_lost", message },
  };
}
