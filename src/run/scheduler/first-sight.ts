import type { Manifest } from "../../ledger/manifest.ts";
import { decide } from "../../schedule/decide.ts";
import { fireTimes } from "../../schedule/fire-times.ts";
import { recordOf, type TickEntry } from "../../schedule/record.ts";
import { listRuns } from "../directory.ts";
import { iso } from "./iso.ts";
import type { ScheduledJob } from "./scheduled-job.ts";

/**
 * The lines with which a schedule begins to count: from now on, or, where the book is lost, from the
 * last tick that became a run. What an earlier schedule of the job has missed is told first.
 */
export async function firstSight(
  entries: readonly TickEntry[],
  { cron, timeZone, job, plan, runs }: ScheduledJob,
  now: number,
): Promise<TickEntry[]> {
  const record = recordOf(entries);
  const { seen } = record;
  if (seen !== null && seen.cron === cron && seen.tz === timeZone) return [];
  const begins = (since: number): TickEntry => {
    return { kind: "seen", at: iso(now), since: iso(since), cron, tz: timeZone };
  };
  if (seen === null) {
    const former = await formerRuns(runs, job.name);
    const last = Math.max(...former.map(({ tick }) => tick));
    const since = former.length === 0 ? now : last;
    return [begins(since), ...former.flatMap((run) => linesOf(run, now))];
  }
  const former = { ...plan, times: fireTimes(seen.cron, seen.tz), catchUp: "none" } as const;
  const { skipped } = decide(former, record, { now, isBusy: false, abandoned: [] });
  const detail = "no scheduler was running, and the schedule has changed since";
  return [...skipped.map((entry) => ({ ...entry, detail })), begins(now)];
}

interface FormerRun {
  readonly tick: number;
  readonly directory: string;
  readonly state: Manifest["state"];
  readonly stoppedBy: string | null;
}

async function formerRuns(runs: string, job: string): Promise<FormerRun[]> {
  return (await listRuns(runs)).flatMap(
    ({ path, manifest: { schedule, state, reason, ...rest } }) =>
      rest.job["name"] === job && schedule?.by_hand === false
        ? [
            {
              tick: Date.parse(schedule.tick),
              directory: path,
              state,
              stoppedBy: reason?.code ?? null,
            },
          ]
        : [],
  );
}

/** A run that stopped half-way is one to go on with. */
function linesOf({ tick, directory, state, stoppedBy }: FormerRun, now: number): TickEntry[] {
  if (state === "finished" || state === "cancelled") return [];
  const isInterrupted = state === "running" || stoppedBy === "interrupted";
  const of = { at: iso(now), tick: iso(tick) };
  return [
    { kind: "started", ...of, by: "unknown", directory },
    { kind: "ended", ...of, result: isInterrupted ? "interrupted" : "paused" },
  ];
}
