import { RunStopped, UsageError } from "../errors.ts";
import type { Item } from "../item.ts";
import type { Wanted } from "../ledger/select.ts";
import { readItems } from "./read-items.ts";
import { lastModified } from "./scan-input.ts";
import type { Scene } from "./scene.ts";

/** The wanted items, read anew; the input must still be what was scanned. */
export async function* wantedItems(
  { order, scan }: Pick<Scene, "order" | "scan">,
  wanted: Pick<Wanted, "has">,
  signal: AbortSignal,
): AsyncGenerator<readonly Item[]> {
  const { job } = order;
  if (scan.kept !== null) {
    yield scan.kept.filter((item) => wanted.has(item.index));
    return;
  }
  try {
    const source = await readItems(job, { signal });
    for await (const batch of source.batches()) {
      const items = batch.flatMap(({ item }) => (wanted.has(item.index) ? [item] : []));
      if (items.length === 0) continue;
      if ((await lastModified(job.inputs)) !== scan.modified) {
        throw inputChanged(job.input, "it was written to");
      }
      yield items;
    }
  } catch (error) {
    if (error instanceof UsageError) throw inputChanged(job.input, error.message);
    throw error;
  }
}

function inputChanged(path: string, detail: string): RunStopped {
  return new RunStopped(
    "input",
    `${path} changed while the run was reading it: ${detail}`,
    "Restore the input and run the same command again, or start afresh with --new.",
  );
}
