import { join } from "node:path";

import { RUNS_DIRECTORY } from "../run/directory.ts";
import { readSizedRuns } from "../run/list-sizes.ts";
import { systemClock } from "../system/clock.ts";
import { renderRunList } from "../terminal/run-list.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

/** Lists runs with what they cost, how old they are and what they take on disk. */
export async function runsCommand(
  directory: string | null,
  flags: { readonly json?: boolean },
  io: Io,
): Promise<ExitCode> {
  const { color, workingDirectory } = io;
  const path = directory ?? join(workingDirectory, RUNS_DIRECTORY);
  const runs = await readSizedRuns(path, systemClock);
  if (flags.json === true) {
    for (const run of runs) io.stdout.write(`${JSON.stringify({ event: "run", ...run })}\n`);
  } else {
    const now = systemClock.now();
    const { columns } = io.stdout;
    io.stdout.write(`${renderRunList(runs, { color, columns, workingDirectory, now })}\n`);
  }
  return EXIT.ok;
}
