import { runJob } from "../run/run.ts";
import {
  readSchedules,
  type ScheduleStatus,
  type Unscheduled,
} from "../run/scheduler/schedule-status.ts";
import { requireScheduledJob } from "../run/scheduler/scheduled-job.ts";
import { orderOf } from "../run/start.ts";
import { systemClock } from "../system/clock.ts";
import { renderNext, renderScheduleList } from "../terminal/schedule-text.ts";
import { manyLines } from "../terminal/screen-text.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";
import { report, type ReportedFlags } from "./run.ts";

/** Shows every scheduled job: its last result, its next time. */
export async function scheduleListCommand(
  targets: readonly string[],
  flags: { readonly json?: boolean },
  io: Io,
): Promise<ExitCode> {
  return show(targets, flags, io, (jobs) =>
    renderScheduleList(jobs, { color: io.color, columns: io.stdout.columns }),
  );
}

/** Shows when jobs fire next. */
export async function scheduleNextCommand(
  targets: readonly string[],
  flags: { readonly json?: boolean },
  io: Io,
): Promise<ExitCode> {
  return show(targets, flags, io, renderNext);
}

/** Fires a job now, whatever its schedule says. */
export async function scheduleRunCommand(
  file: string,
  flags: ReportedFlags,
  io: Io,
): Promise<ExitCode> {
  const { job } = await requireScheduledJob(file, io.workingDirectory);
  // To the second, as the names of directories are.
  const tick = Math.floor(systemClock.now() / 1_000) * 1_000;
  return report(flags, io, (options) =>
    runJob({
      ...orderOf(job, options),
      firing: { tick, jobFile: file, byHand: true, inputs: null },
    }),
  );
}

async function show(
  targets: readonly string[],
  { json }: { readonly json?: boolean },
  io: Io,
  render: (jobs: readonly ScheduleStatus[]) => string,
): Promise<ExitCode> {
  const { workingDirectory } = io;
  const found = await readSchedules({ targets, workingDirectory, clock: systemClock });
  const jobs = found.filter((one): one is ScheduleStatus => "job" in one);
  const others = found.filter((one): one is Unscheduled => !("job" in one));
  for (const { file, problem } of others) {
    io.stderr.write(`${problem === null ? `${file} has no schedule` : manyLines(problem)}\n`);
  }
  if (json === true) {
    for (const job of jobs) io.stdout.write(`${JSON.stringify({ event: "schedule", ...job })}\n`);
  } else if (jobs.length > 0) io.stdout.write(`${render(jobs)}\n`);
  else if (others.length === 0) io.stderr.write("No job file here has a schedule.\n");
  return others.some(({ problem }) => problem !== null) ? EXIT.usage : EXIT.ok;
}
