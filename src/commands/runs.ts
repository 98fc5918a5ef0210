import { join } from "node:path";

import { RUNS_DIRECTORY } from "../run/directory.ts";
import { readSizedRuns } from "../run/list-sizes.ts";
import { requireRunsDirectory } from "../run/require-runs-directory.ts";
import { systemClock } from "../system/clock.ts";
import { NO_RUNS, renderRunList } from "../terminal/run-list.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

/** Lists runs with what they cost, how old they are and what they take on disk. */
export async function runsCommand(
  directory: string | null,
  flags: { readonly json?: boolean },
  io: Io,
): Promise<ExitCode> {
  const { color, workingDirectory } = io;
  const path = directory ?? join(workingDirectory, RUNS_DIRECTORY);
  if (directory !== null) await requireRunsDirectory(directory);
  const runs = await readSizedRuns(path, systemClock);
  if (flags.json === true) {
    for (const run of runs) io.stdout.write(`${JSON.stringify({ event: "run", ...run })}\n`);
  } else if (runs.length === 0) io.stderr.write(`${NO_RUNS}\n`);
  else {
    const now = systemClock.now();
    const { columns } = io.stdout;
    io.stdout.write(`${renderRunList(runs, { color, columns, workingDirectory, now })}\n`);
  }
  return EXIT.ok;
}
