import { join } from "node:path";

import { UsageError } from "../errors.ts";
import { holdsRuns, RUNS_DIRECTORY } from "../run/directory.ts";
import { readSharedStatus, type SharedStatus } from "../run/shared-status.ts";
import { readAllStatus, readStatus } from "../run/status.ts";
import { systemClock } from "../system/clock.ts";
import { NO_RUNS, renderRunList } from "../terminal/run-list.ts";
import { renderSharedList } from "../terminal/shared-list.ts";
import { renderStatus } from "../terminal/status-text.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

/** Shows where a run stands, or a line for every run below a directory: `runs/` unless one is named. */
export async function statusCommand(
  directory: string | null,
  flags: { readonly json?: boolean; readonly redis?: string },
  io: Io,
): Promise<ExitCode> {
  const { color, workingDirectory } = io;
  const { columns } = io.stdout;
  const isList = directory === null || (await holdsRuns(directory));
  const statuses = isList
    ? await readAllStatus(directory ?? join(workingDirectory, RUNS_DIRECTORY), systemClock)
    : [await readStatus(directory, systemClock)];
  const shared = directory === null ? await sharedStatus(flags.redis ?? null, io) : null;
  if (flags.json === true) {
    if (shared !== null) {
      const { runs, ...redis } = shared;
      tell(io, { event: "redis", ...redis });
      for (const run of runs) tell(io, { event: "shared_run", ...run });
    }
    for (const status of statuses) tell(io, { event: "status", ...status });
    return EXIT.ok;
  }
  if (shared !== null) io.stdout.write(`${renderSharedList(shared, { color, columns })}\n\n`);
  const [status] = statuses;
  if (status === undefined) io.stderr.write(`${NO_RUNS}\n`);
  else if (isList) {
    io.stdout.write(`${renderRunList(statuses, { color, columns, workingDirectory })}\n`);
  } else io.stdout.write(`${renderStatus(status, { color, workingDirectory })}\n`);
  return EXIT.ok;
}

function tell({ stdout }: Io, event: { readonly event: string }): void {
  stdout.write(`${JSON.stringify(event)}\n`);
}

/** The runs of all machines; null without a shared Redis. */
async function sharedStatus(redis: string | null, io: Io): Promise<SharedStatus | null> {
  const { environment, signal } = io;
  if (redis === null && environment.redisUrl === null) return null;
  try {
    return await readSharedStatus({ environment, redis, signal });
  } catch (error) {
    // Who did not ask for it shall see the runs of this machine all the same.
    if (redis !== null || !(error instanceof UsageError)) throw error;
    io.stderr.write(`warning: ${error.message}\n`);
    return null;
  }
}
