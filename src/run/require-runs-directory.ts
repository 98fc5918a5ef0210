import { stat } from "node:fs/promises";

import { UsageError } from "../errors.ts";
import { isMissing } from "../ledger/files.ts";
import { readManifest } from "../ledger/manifest.ts";

/** @throws UsageError for what is no directory, or a run's own. */
export async function requireRunsDirectory(directory: string): Promise<void> {
  if ((await readManifest(directory)) !== null) {
    throw new UsageError(
      `${directory} is a run directory: name the one that holds it, such as runs/`,
    );
  }
  try {
    if ((await stat(directory)).isDirectory()) return;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  throw new UsageError(`${directory} is no directory: name the one that holds the runs`);
}
