import { relative } from "node:path";

import { exportRun } from "../run/export-run.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

export interface ExportFlags {
  readonly format?: "csv" | "jsonl";
  readonly csvBom?: boolean;
  readonly csvSafe?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Writes a run's joined output again, whatever state the run is in. */
export async function exportCommand(
  directory: string,
  flags: ExportFlags,
  io: Io,
): Promise<ExitCode> {
  const { path, completed, failed, pending } = await exportRun(directory, flags);
  if (flags.json === true) {
    io.stdout.write(`${JSON.stringify({ event: "exported", path, completed, failed, pending })}\n`);
  }
  if (flags.quiet !== true) {
    const name = relative(io.workingDirectory, path);
    const open = pending > 0 ? `, ${pending} still without an answer` : "";
    io.stderr.write(`${name}: ${completed} completed, ${failed} failed${open}\n`);
  }
  return EXIT.ok;
}
