import { createHash } from "node:crypto";

import { UsageError } from "../errors.ts";
import { SIGNS } from "../input/csv.ts";
import { openInputs } from "../input/files.ts";
import type { InputRecord } from "../input/records.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import { exportOutput } from "../ledger/export.ts";
import type { ItemTable } from "../ledger/item-table.ts";
import type { Manifest } from "../ledger/manifest.ts";
import type { Scene } from "./scene.ts";

/** Writes the joined output beside the ledger and returns its path. */
export function writeOutput(scene: Scene, manifest: Manifest, items: ItemTable): Promise<string> {
  const { job } = scene.order;
  const { input: path, inputs: paths, encoding, delimiter } = job;
  const input = { path, paths, encoding, delimiter, sha256: scene.scan.sha256 };
  return exportOutput(recordsOf(input, manifest.items ?? scene.scan.items), items, {
    directory: scene.directory,
    format: manifest.output.endsWith(".csv") ? "csv" : "jsonl",
    columns: manifest.columns,
    delimiter: signFor(delimiter),
    bom: job.csvBom,
    safe: job.csvSafe,
    marked: job.dedupe || job.incremental,
    isOwner: true,
  });
}

/** A table comes back with the delimiter that was named for it; else it is a CSV as everybody reads it. */
export function signFor(delimiter: ResolvedJob["delimiter"]): string {
  return delimiter === null ? "," : SIGNS[delimiter];
}

/**
 * The first records of an input, as they are.
 *
 * @throws UsageError at its end when the input is not the one that was asked about: its records
 *   would stand beside answers to others.
 */
export async function* recordsOf(
  input: Pick<ResolvedJob, "encoding" | "delimiter"> & {
    /** As messages name it. */
    readonly path: string;
    readonly paths: readonly string[];
    readonly sha256: string;
  },
  most: number,
): AsyncGenerator<readonly InputRecord[]> {
  const hash = createHash("sha256");
  const source = await openInputs(input.paths, {
    onBytes: (chunk) => hash.update(chunk),
    ...(input.encoding !== null && { encoding: input.encoding }),
    ...(input.delimiter !== null && { delimiter: input.delimiter }),
  });
  let left = most;
  for await (const records of source.batches()) {
    if (left > 0) yield records.length <= left ? records : records.slice(0, left);
    left -= records.length;
  }
  if (hash.digest("hex") !== input.sha256) {
    throw new UsageError(
      `${input.path} is no longer the input of this run (its content has changed), so answers cannot be ` +
        "put beside its records. Restore it, then use `nightshift export`. results.jsonl holds every answer.",
    );
  }
}
