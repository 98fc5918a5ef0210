import type { ResolvedJob } from "../job/resolved-job.ts";
import { exportOutput } from "../ledger/export.ts";
import { requireManifest } from "../ledger/manifest.ts";
import { readLedger } from "../ledger/read.ts";
import { recordsOf, signFor } from "./write-output.ts";

export interface ExportRequest {
  /** @default csv for a CSV input, else jsonl */
  readonly format?: "csv" | "jsonl";
  /** @default as the job says */
  readonly csvBom?: boolean;
  /** @default as the job says */
  readonly csvSafe?: boolean;
}

/** What an export wrote. */
export interface ExportedRun {
  readonly path: string;
  readonly completed: number;
  readonly failed: number;
  readonly pending: number;
}

/**
 * Writes a run's joined output from its ledger and its input.
 *
 * @throws UsageError when the input is gone or no longer the one that was asked about.
 */
export async function exportRun(directory: string, request: ExportRequest): Promise<ExportedRun> {
  let exported = await exportOnce(directory, request);
  // A run that ended meanwhile has written its whole output, and ours has taken its place.
  while (exported.pending > 0 && (await pendingItems(directory)) === 0) {
    exported = await exportOnce(directory, request);
  }
  return exported;
}

async function exportOnce(directory: string, request: ExportRequest): Promise<ExportedRun> {
  const manifest = await requireManifest(directory);
  const { items } = await readLedger(directory, manifest.run_id, () => null);
  const {
    encoding = null,
    delimiter = null,
    csvBom = false,
    csvSafe = false,
    dedupe = false,
    incremental = false,
    inputs = [manifest.input.path],
    // Written by us from a ResolvedJob.
  } = manifest.job as Partial<ResolvedJob>;
  const { path: inputPath, sha256 } = manifest.input;
  const input = { path: inputPath, paths: inputs, encoding, delimiter, sha256 };
  const total = manifest.items ?? items.completed + items.failed;
  const format = request.format ?? (manifest.output.endsWith(".csv") ? "csv" : "jsonl");
  const path = await exportOutput(recordsOf(input, total), items, {
    directory,
    format,
    columns: manifest.columns,
    delimiter: signFor(delimiter),
    bom: request.csvBom ?? csvBom,
    safe: request.csvSafe ?? csvSafe,
    marked: dedupe || incremental,
    isOwner: false,
  });
  const { completed, failed } = items;
  return { path, completed, failed, pending: total - completed - failed };
}

async function pendingItems(directory: string): Promise<number> {
  const manifest = await requireManifest(directory);
  const { items } = await readLedger(directory, manifest.run_id, () => null);
  return (manifest.items ?? Infinity) - items.completed - items.failed;
}
