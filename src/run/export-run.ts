import { exportOutput } from "../ledger/export.ts";
import { requireManifest } from "../ledger/manifest.ts";
import { readLedger } from "../ledger/read.ts";
import { recordsOf } from "./write-output.ts";

export interface ExportRequest {
  /** @default csv for a CSV input, else jsonl */
  readonly format?: "csv" | "jsonl";
  /** @default as the job says */
  readonly csvBom?: boolean;
  /** @default as the job says */
  readonly csvSafe?: boolean;
}

/**
 * Writes a run's joined output from its ledger and its input.
 *
 * @throws UsageError when the input is gone or no longer the one that was asked about.
 */
export async function exportRun(
  directory: string,
  request: ExportRequest,
): Promise<{ path: string; completed: number; failed: number; pending: number }> {
  const manifest = await requireManifest(directory);
  const { items } = await readLedger(directory, manifest.run_id, () => null);
  const {
    encoding = null,
    csvBom = false,
    csvSafe = false,
  } = manifest.job as {
    encoding?: string | null;
    csvBom?: boolean;
    csvSafe?: boolean;
  };
  const input = { path: manifest.input.path, encoding, sha256: manifest.input.sha256 };
  const total = manifest.items ?? items.completed + items.failed;
  const format = request.format ?? (manifest.output.endsWith(".csv") ? "csv" : "jsonl");
  const path = await exportOutput(recordsOf(input, total), items, {
    directory,
    format,
    columns: manifest.columns,
    bom: request.csvBom ?? csvBom,
    safe: request.csvSafe ?? csvSafe,
  });
  const { completed, failed } = items;
  return { path, completed, failed, pending: total - completed - failed };
}
