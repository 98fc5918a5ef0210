import type { ItemTable } from "../ledger/item-table.ts";
import type { Wanted } from "../ledger/select.ts";
import type { RetryProgress } from "./events.ts";

/** Counts from now on how the items of a retry end; always null for a run. */
export function watchRetry(wanted: Wanted, items: ItemTable): () => RetryProgress | null {
  if (wanted.before !== "failed") return () => null;
  const total = wanted.size;
  const completedBefore = items.completed;
  return () => {
    const completed = items.completed - completedBefore;
    return { total, completed, failed: total - wanted.size - completed };
  };
}
