import { join } from "node:path";

import { FILES } from "./files.ts";
import type { ItemTable } from "./item-table.ts";
import { parseLine, tryParseLine } from "./line.ts";
import { scanLedger } from "./scan.ts";

/** A condition on a failed item: `code=timeout`, `class=retry`, `status=504`. */
export interface Condition {
  readonly field: "code" | "class" | "status";
  readonly value: string;
}

/** Items that a sitting has still to bring to an outcome. */
export interface Wanted {
  /** How they stood when they were chosen: those that had failed are retried. */
  readonly before: "pending" | "failed";
  readonly size: number;
  has(index: number): boolean;
  /** The item has its outcome. */
  done(index: number): void;
}

/** Chosen from the failed items. */
export interface Failures extends Wanted {
  /** What the chosen ones meet. */
  readonly where: readonly Condition[];
  /** All failed items, the chosen ones or not, by code. */
  readonly byCode: ReadonlyMap<string, number>;
}

/** A condition as it is written: `code=timeout`. */
export function conditionText({ field, value }: Condition): string {
  return `${field}=${value}`;
}

/** Those of the first `bound` items that have no outcome, without a list of them. */
export function pendingAmong(items: ItemTable, bound: number): Wanted {
  let size = 0;
  for (let index = 0; index < bound; index += 1) if (items.state(index) === "pending") size += 1;
  return {
    before: "pending",
    get size() {
      return size;
    },
    has: (index) => index < bound && items.state(index) === "pending",
    done: () => (size -= 1),
  };
}

/** Whether any item has failed with a code, in a ledger at rest. */
export async function hasFailedWith(
  code: string,
  directory: string,
  runId: string,
): Promise<boolean> {
  let found = false;
  await scanLedger(join(directory, FILES.errors), runId, ({ index, bytes }) => {
    if (index !== null) found ||= tryParseLine(bytes)?.nightshift.code === code;
  });
  return found;
}

/** The failed items that meet every condition. */
export async function failedAmong(
  directory: string,
  runId: string,
  items: ItemTable,
  conditions: readonly Condition[],
): Promise<Failures> {
  const chosen = new Set<number>();
  const byCode = new Map<string, number>();
  await scanLedger(join(directory, FILES.errors), runId, ({ index, offset, bytes }) => {
    if (index === null || items.state(index) !== "failed" || items.offset(index) !== offset) return;
    const { nightshift: note, response } = parseLine(bytes);
    const found = {
      code: note.code ?? "unknown",
      class: note.class ?? "item",
      status: String(response?.status_code ?? ""),
    };
    byCode.set(found.code, (byCode.get(found.code) ?? 0) + 1);
    if (conditions.every(({ field, value }) => found[field] === value)) chosen.add(index);
  });
  return {
    before: "failed",
    where: conditions,
    byCode,
    get size() {
      return chosen.size;
    },
    has: (index) => chosen.has(index),
    done: (index) => chosen.delete(index),
  };
}
