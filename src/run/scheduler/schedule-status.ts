import { messageOf } from "../../errors.ts";
import { type Manifest, workedMs } from "../../ledger/manifest.ts";
import { recordOf, type SkippedEntry } from "../../schedule/record.ts";
import type { Clock } from "../../system/clock.ts";
import { listRuns } from "../directory.ts";
import { readStatus } from "../status.ts";
import { iso } from "./iso.ts";
import { findJobFiles } from "./job-files.ts";
import { loadScheduledJob, type ScheduledJob } from "./scheduled-job.ts";
import { TickBook } from "./tick-book.ts";

/** What a job's last run came to. */
export interface LastRun {
  readonly directory: string;
  readonly state: Manifest["state"] | "interrupted";
  readonly completed: number;
  readonly failed: number;
  readonly started_at: string;
  /** Time in which some process worked on it. */
  readonly seconds: number;
  readonly cost_usd: number | null;
}

/** One job with a schedule. Times are ISO 8601 in UTC. */
export interface ScheduleStatus {
  readonly job: string;
  readonly file: string;
  readonly cron: string;
  readonly time_zone: string | null;
  readonly next: readonly string[];
  readonly last: LastRun | null;
  /** What was left out last, where nothing has run since. */
  readonly skipped: Pick<SkippedEntry, "from" | "to" | "count" | "reason" | "detail"> | null;
}

/** A file that is no job with a schedule, and why. */
export interface Unscheduled {
  readonly file: string;
  readonly problem: string | null;
}

export interface ScheduleQuestion {
  readonly targets: readonly string[];
  readonly workingDirectory: string;
  readonly clock: Clock;
}

const NEXT = 3;

/** Every scheduled job in files and directories; what cannot be read is told, and hides no other. */
export async function readSchedules({
  targets,
  workingDirectory,
  clock,
}: ScheduleQuestion): Promise<(ScheduleStatus | Unscheduled)[]> {
  const found: (ScheduleStatus | Unscheduled)[] = [];
  for (const { file, isNamed } of await findJobFiles(targets)) {
    try {
      const scheduled = await loadScheduledJob(file, workingDirectory);
      if (scheduled !== null) found.push(await statusOf(scheduled, clock));
      else if (isNamed) found.push({ file, problem: null });
    } catch (error) {
      found.push({ file, problem: messageOf(error) });
    }
  }
  return found;
}

async function statusOf(scheduled: ScheduledJob, clock: Clock): Promise<ScheduleStatus> {
  const { job, file, cron, timeZone, plan, runs } = scheduled;
  const next: string[] = [];
  let tick = plan.times.next(clock.now());
  while (tick !== null && next.length < NEXT) {
    next.push(iso(tick));
    tick = plan.times.next(tick);
  }
  const last = await lastRun(runs, job.name, clock);
  const entries = await new TickBook(runs, job.name, clock).read();
  const { handled } = recordOf(entries);
  const skipped = entries.findLast((entry) => entry.kind === "skipped") ?? null;
  const hasRunSince =
    skipped !== null && [...handled].some((handledTick) => handledTick > Date.parse(skipped.to));
  return {
    job: job.name,
    file,
    cron,
    time_zone: timeZone,
    next,
    last,
    skipped: skipped === null || hasRunSince ? null : withoutKind(skipped),
  };
}

function withoutKind({ from, to, count, reason, detail }: SkippedEntry): ScheduleStatus["skipped"] {
  return { from, to, count, reason, detail };
}

async function lastRun(runs: string, job: string, clock: Clock): Promise<LastRun | null> {
  const newest = (await listRuns(runs)).find(({ manifest }) => manifest.job["name"] === job);
  if (newest === undefined) return null;
  const { state, items, usage } = await readStatus(newest.path, clock);
  return {
    directory: newest.path,
    state,
    completed: items.completed,
    failed: items.failed,
    started_at: newest.manifest.created_at,
    seconds: Math.round(workedMs(newest.manifest, clock.now()) / 1_000),
    cost_usd: usage.cost_usd,
  };
}
