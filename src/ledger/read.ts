import { join } from "node:path";

import type { CostOf } from "../tokens.ts";
import { FILES } from "./files.ts";
import { ItemTable } from "./item-table.ts";
import { tryParseLine } from "./line.ts";
import { scanLedger } from "./scan.ts";
import { entryOfLine, UsageTally } from "./usage-tally.ts";

/** Failed items with one cause. */
export interface ErrorGroup {
  readonly code: string;
  readonly class: string;
  count: number;
  readonly example: { readonly custom_id: string; readonly message: string };
}

/** What a ledger holds, read without changing it: a run may be writing it. */
export interface LedgerView {
  readonly items: ItemTable;
  readonly usage: UsageTally;
  /** Most frequent first. */
  readonly errors: readonly ErrorGroup[];
}

/** Reads a run directory's ledger; lines that are not whole yet are passed over. */
export async function readLedger(
  directory: string,
  runId: string,
  costOf: CostOf,
): Promise<LedgerView> {
  const items = new ItemTable();
  const usage = new UsageTally(costOf);
  const groups = new Map<string, ErrorGroup>();

  await scanLedger(join(directory, FILES.results), runId, ({ index, offset, bytes }) => {
    const line = index === null ? null : tryParseLine(bytes);
    if (index === null || line === null || items.state(index) === "completed") return;
    items.set(index, "completed", offset);
    usage.add(entryOfLine("completed", line));
  });
  const errorsPath = join(directory, FILES.errors);
  await scanLedger(errorsPath, runId, ({ index, offset, bytes }) => {
    if (index !== null && tryParseLine(bytes) !== null) items.set(index, "failed", offset);
  });
  // The second look counts only each failed item's last error.
  await scanLedger(errorsPath, runId, ({ index, offset, bytes }) => {
    if (index === null || items.state(index) !== "failed" || items.offset(index) !== offset) return;
    const line = tryParseLine(bytes);
    if (line === null) return;
    usage.add(entryOfLine("failed", line));
    const { code = "unknown", class: kind = "item", message = "" } = line.nightshift;
    const key = `${kind} ${code}`;
    const group = groups.get(key);
    if (group !== undefined) group.count += 1;
    else {
      const example = { custom_id: line.custom_id, message };
      groups.set(key, { code, class: kind, count: 1, example });
    }
  });
  return { items, usage, errors: [...groups.values()].sort((a, b) => b.count - a.count) };
}
