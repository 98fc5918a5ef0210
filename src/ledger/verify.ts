import { join } from "node:path";

import { FILES } from "./files.ts";
import { ItemTable } from "./item-table.ts";
import { tryParseLine } from "./line.ts";
import { requireManifest } from "./manifest.ts";
import { scanLedger } from "./scan.ts";

/** What `verify` found. */
export interface Verification {
  readonly runId: string;
  readonly state: string;
  /** Items of the run; null when its input was never read to the end. */
  readonly items: number | null;
  readonly completed: number;
  readonly failed: number;
  readonly pending: number | null;
  /** What is wrong, one sentence each, with file and line; empty when all is well. */
  readonly faults: readonly string[];
}

const MOST_FAULTS = 20;

/**
 * Proves from the files alone that each item of a run has at most one outcome and none is lost:
 * items in = completed + failed + pending.
 */
export async function verifyRun(directory: string): Promise<Verification> {
  const manifest = await requireManifest(directory);
  const total = manifest.items;
  const faults: string[] = [];
  const items = new ItemTable();
  const fault = (text: string): void => {
    if (faults.length < MOST_FAULTS) faults.push(text);
  };

  const check = async (name: string, state: "completed" | "failed"): Promise<void> => {
    let number = 0;
    const end = await scanLedger(join(directory, name), manifest.run_id, (line) => {
      number += 1;
      const where = `${name}:${number}`;
      const parsed = line.index === null ? null : tryParseLine(line.bytes);
      if (line.index === null) fault(`${where} is no line of run ${manifest.run_id}`);
      else if (parsed === null) fault(`${where} is damaged: it is no JSON`);
      else if (total !== null && line.index >= total) {
        fault(`${where} is item ${line.index}, but the run has only ${total} items`);
      } else if (state === "completed" && items.state(line.index) === "completed") {
        fault(`${where} is a second result of item ${line.index}`);
      } else {
        const shared = parsed.nightshift?.shared_with;
        // Whoever asked is recorded first.
        if (state === "completed" && shared !== undefined && items.state(shared) !== "completed") {
          fault(`${where} shares the answer of item ${shared}, which has none`);
        }
        items.set(line.index, state, line.offset);
      }
    });
    if (end.tornBytes > 0) {
      fault(
        `${name} ends with ${end.tornBytes} bytes of a torn line (continuing the run cuts it off)`,
      );
    }
  };
  // Results first: an error that its item's completion has superseded then counts for nothing.
  await check(FILES.results, "completed");
  await check(FILES.errors, "failed");

  const ended = items.completed + items.failed;
  const pending = total === null ? null : total - ended;
  if (manifest.state === "finished" && pending !== 0) {
    fault(
      `the run says it is finished, but ${pending ?? "unknown"} ${pending === 1 ? "item has" : "items have"} no outcome`,
    );
  }
  return {
    runId: manifest.run_id,
    state: manifest.state,
    items: total,
    completed: items.completed,
    failed: items.failed,
    pending,
    faults,
  };
}
