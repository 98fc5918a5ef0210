import { formatCount, formatDuration, formatMoney, plural } from "./format.ts";
import { shortPath } from "./place.ts";
import { oneLine } from "./screen-text.ts";

/** What a scheduler tells, as far as it is shown. */
export type SchedulerEventView =
  | { event: "scheduled"; job: string; file: string; cron: string; time_zone: string | null }
  | { event: "unscheduled"; file: string; message: string }
  | { event: "job_broken"; file: string; keeps: boolean; message: string }
  | { event: "fired"; job: string; tick: string; directory: string; continued: boolean }
  | {
      event: "run_ended";
      job: string;
      directory: string;
      as: string;
      message: string | null;
      completed: number;
      failed: number;
      cost_usd: number | null;
      seconds: number;
    }
  | { event: "waiting"; job: string; tick: string }
  | { event: "elsewhere"; job: string; tick: string; by: string }
  | {
      event: "skipped";
      job: string;
      from: string;
      to: string;
      count: number | null;
      reason: string;
      detail: string;
    }
  | { event: "left"; job: string; directory: string; message: string }
  | { event: "trouble"; job: string | null; message: string }
  | { event: "stopping"; runs: number };

/** One line of a scheduler's log, without its time. */
export function schedulerLine(event: SchedulerEventView, workingDirectory: string): string {
  const place = (path: string): string => shortPath(path, workingDirectory);
  switch (event.event) {
    case "scheduled": {
      const zone = event.time_zone === null ? "" : ` ${event.time_zone}`;
      return `${event.job}: follows ${event.file} (${event.cron}${zone})`;
    }
    case "unscheduled":
      return `${event.file} is followed no more: ${oneLine(event.message)}`;
    case "job_broken":
      return `${oneLine(event.message)} ${event.keeps ? "(its last good form is kept)" : "(not followed)"}`;
    case "fired":
      return `${event.job}: ${event.continued ? "continues" : "runs"} in ${place(event.directory)}`;
    case "run_ended":
      return endedLine(event, place(event.directory));
    case "waiting":
      return `${event.job}: ${short(event.tick)} waits for the end of the former run`;
    case "elsewhere":
      return `${event.job}: ${short(event.tick)} is run by the scheduler on ${oneLine(event.by)}`;
    case "skipped":
      return `${event.job}: skipped ${ticksText(event)} (${event.reason}): ${oneLine(event.detail)}`;
    case "left":
      return `${event.job}: ${place(event.directory)} is left unfinished: ${oneLine(event.message)}`;
    case "trouble":
      return `${event.job === null ? "" : `${event.job}: `}trouble: ${oneLine(event.message)}`;
    case "stopping":
      return event.runs === 0
        ? "stopping"
        : `stopping: ${plural(event.runs, "run finishes", "runs finish")} what is in flight`;
  }
}

function endedLine(
  event: Extract<SchedulerEventView, { event: "run_ended" }>,
  directory: string,
): string {
  const { job, as, completed, failed, cost_usd: cost, seconds, message } = event;
  const counts = `${formatCount(completed)} completed${failed > 0 ? `, ${formatCount(failed)} failed` : ""}`;
  const price = cost === null ? "" : `, ${formatMoney(cost)}`;
  const why = message === null ? "" : `: ${oneLine(message)}`;
  const took = formatDuration(seconds * 1_000);
  return `${job}: ${as} in ${took} (${counts}${price}) ${directory}${why}`;
}

function ticksText({
  from,
  to,
  count,
}: {
  readonly from: string;
  readonly to: string;
  readonly count: number | null;
}): string {
  if (from === to) return short(to);
  return `${count === null ? "many" : formatCount(count)} from ${short(from)} to ${short(to)}`;
}

function short(time: string): string {
  return time.replace(".000Z", "Z");
}
