import { createHash } from "node:crypto";
import { dirname, join, resolve } from "node:path";

import { UsageError } from "../../errors.ts";
import { parseDuration } from "../../job/duration.ts";
import { loadJob } from "../../job/load.ts";
import { resolveJob } from "../../job/resolve.ts";
import type { ResolvedJob } from "../../job/resolved-job.ts";
import type { Plan } from "../../schedule/decide.ts";
import { fireTimes } from "../../schedule/fire-times.ts";
import { seededRandom } from "../../system/random.ts";
import { RUNS_DIRECTORY } from "../directory.ts";

/** A job file with a schedule, ready to be followed. */
export interface ScheduledJob {
  readonly file: string;
  readonly job: ResolvedJob;
  readonly plan: Plan;
  readonly cron: string;
  readonly timeZone: string | null;
  /** What becomes of runs of earlier firings that stopped half-way. */
  readonly unfinished: "continue" | "leave";
  /** Where its runs are, and what is noted of its ticks. */
  readonly runs: string;
}

/**
 * Reads a job file; null when it has no schedule.
 *
 * @throws UsageError where it is missing or wrong.
 */
export async function loadScheduledJob(
  file: string,
  workingDirectory: string,
): Promise<ScheduledJob | null> {
  const { job: written, where } = await loadJob(file);
  const { schedule } = written;
  if (schedule === undefined) return null;
  const job = resolveJob(written, {}, where);
  const jitterMs = schedule.jitter === undefined ? 0 : (parseDuration(schedule.jitter) ?? 0);
  return {
    file,
    job,
    plan: {
      times: fireTimes(schedule.cron, job.timeZone),
      overlap: schedule.overlap ?? "skip",
      catchUp: schedule.catch_up ?? "none",
      jitterOf: (tick) => Math.floor(jitterMs * chanceOf(job.name, tick)),
    },
    cron: schedule.cron,
    timeZone: job.timeZone,
    unfinished: schedule.unfinished ?? "continue",
    runs: runsOf(job, workingDirectory),
  };
}

/** @throws UsageError where the job file has no schedule. */
export async function requireScheduledJob(
  file: string,
  workingDirectory: string,
): Promise<ScheduledJob> {
  const scheduled = await loadScheduledJob(file, workingDirectory);
  if (scheduled !== null) return scheduled;
  throw new UsageError(
    `${file} has no schedule. Add one, for example: schedule: { cron: "0 2 * * *", tz: Asia/Shanghai }`,
  );
}

/** The directory that all runs of a job lie in: what its `out` says before the first placeholder. */
function runsOf(job: ResolvedJob, workingDirectory: string): string {
  if (job.out === null) return join(workingDirectory, RUNS_DIRECTORY);
  const [fixed = ""] = job.out.split("{{");
  return resolve(workingDirectory, fixed.endsWith("/") ? fixed : dirname(fixed));
}

/** In [0, 1), and the same wherever it is asked for. */
function chanceOf(name: string, tick: number): number {
  const seed = createHash("sha256").update(`${name}\n${tick}`).digest().readUInt32BE();
  return seededRandom(seed)();
}
