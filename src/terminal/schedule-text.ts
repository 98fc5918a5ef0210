import { formatCount, formatDuration, formatTime } from "./format.ts";
import { createPaint } from "./paint.ts";
import { oneLine } from "./screen-text.ts";
import { type Cell, type Column, renderTable, type TableOptions } from "./table.ts";

/** One job with a schedule, as far as it is shown. Times are ISO 8601 in UTC. */
export interface ScheduleView {
  readonly job: string;
  readonly file: string;
  readonly cron: string;
  /** Null for this machine's. */
  readonly time_zone: string | null;
  readonly next: readonly string[];
  readonly last: {
    readonly state: string;
    readonly completed: number;
    readonly failed: number;
    readonly seconds: number;
    readonly started_at: string;
  } | null;
  readonly skipped: {
    readonly to: string;
    readonly reason: string;
    readonly detail: string;
  } | null;
}

const COLUMNS: readonly Column[] = [
  { heading: "JOB", align: "left" },
  { heading: "SCHEDULE", align: "left", spare: 2 },
  { heading: "NEXT", align: "left" },
  { heading: "LAST RESULT", align: "left", spare: 1 },
  { heading: "STARTED", align: "left", spare: 3 },
  { heading: "TOOK", align: "right", spare: 4 },
];

/** A table with a line for each job, and below it what was left out last. */
export function renderScheduleList(
  jobs: readonly ScheduleView[],
  { color, columns }: TableOptions,
): string {
  const paint = createPaint(color);
  const left = jobs.flatMap(({ job, skipped }) =>
    skipped === null
      ? []
      : [
          `${job}: ${formatTime(skipped.to)} was left out (${skipped.reason}): ${oneLine(skipped.detail)}`,
        ],
  );
  return [...renderTable(COLUMNS, jobs.map(cellsOf), paint, columns), ...left].join("\n");
}

/** The next fire times of each job, as its own clock shows them and in UTC. */
export function renderNext(jobs: readonly ScheduleView[]): string {
  return jobs
    .map(({ job, cron, time_zone: zone, next }) =>
      [
        `${job}  ${cron}${zone === null ? "" : `  ${zone}`}`,
        ...next.map((time) => `  ${wallTime(time, zone)}   ${time.replace(".000Z", "Z")}`),
        ...(next.length === 0 ? ["  never again"] : []),
      ].join("\n"),
    )
    .join("\n\n");
}

/** `Sun 2026-03-29 03:00:00 GMT+2` */
function wallTime(time: string, zone: string | null): string {
  const parts = new Intl.DateTimeFormat("en-GB", {
    ...(zone !== null && { timeZone: zone }),
    weekday: "short",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "shortOffset",
  }).formatToParts(Date.parse(time));
  const part = (type: Intl.DateTimeFormatPartTypes): string =>
    parts.find((one) => one.type === type)?.value ?? "";
  const date = `${part("year")}-${part("month")}-${part("day")}`;
  const clock = `${part("hour")}:${part("minute")}:${part("second")}`;
  return `${part("weekday")} ${date} ${clock} ${part("timeZoneName").replace(/^GMT(\+0)?$/, "UTC")}`;
}

function cellsOf({ job, cron, time_zone: zone, next, last }: ScheduleView): Cell[] {
  const [first] = next;
  const result: Cell =
    last === null
      ? { text: "never ran", style: "dim" }
      : {
          text: `${last.state}${last.failed > 0 ? `, ${formatCount(last.failed)} failed` : ""}`,
          style: last.state === "finished" ? (last.failed > 0 ? "yellow" : "green") : "yellow",
        };
  return [
    { text: job },
    { text: zone === null ? cron : `${cron} ${zone}` },
    { text: first === undefined ? "never" : wallTime(first, zone) },
    result,
    { text: last === null ? "" : formatTime(last.started_at) },
    { text: last === null ? "" : formatDuration(last.seconds * 1_000) },
  ];
}
