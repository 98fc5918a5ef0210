import { join } from "node:path";

import { holdsRuns, RUNS_DIRECTORY } from "../run/directory.ts";
import { readAllStatus, readStatus } from "../run/status.ts";
import { systemClock } from "../system/clock.ts";
import { renderRunList } from "../terminal/run-list.ts";
import { renderStatus } from "../terminal/status-text.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

/** Shows where a run stands, or a line for every run below a directory: `runs/` unless one is named. */
export async function statusCommand(
  directory: string | null,
  flags: { readonly json?: boolean },
  io: Io,
): Promise<ExitCode> {
  const { color, workingDirectory } = io;
  const isList = directory === null || (await holdsRuns(directory));
  const statuses = isList
    ? await readAllStatus(directory ?? join(workingDirectory, RUNS_DIRECTORY), systemClock)
    : [await readStatus(directory, systemClock)];
  if (flags.json === true) {
    for (const status of statuses) {
      io.stdout.write(`${JSON.stringify({ event: "status", ...status })}\n`);
    }
    return EXIT.ok;
  }
  const [status] = statuses;
  if (isList) io.stdout.write(`${renderRunList(statuses, { color, workingDirectory })}\n`);
  else if (status !== undefined) {
    io.stdout.write(`${renderStatus(status, { color, workingDirectory })}\n`);
  }
  return EXIT.ok;
}
