import { formatBytes, formatCount, formatDuration, formatTime } from "./format.ts";
import { createPaint } from "./paint.ts";
import { shortPath } from "./place.ts";
import { stateColor, type StatusOptions, type StatusView } from "./status-text.ts";
import { type Cell, type Column, renderTable, type TableOptions } from "./table.ts";
import { costText } from "./usage-rows.ts";

/** One run in the list: what a full status shows, and more than is needed here. */
export type RunListEntry = Pick<
  StatusView,
  "directory" | "state" | "usage" | "created_at" | "updated_at"
> & {
  /** What it takes on disk, where that was looked at. */
  readonly bytes?: number;
};

export interface RunListOptions extends StatusOptions, TableOptions {
  /** For the age of runs, which is shown with their size. */
  readonly now?: number;
}

const COLUMNS: readonly Column[] = [
  { heading: "RUN DIRECTORY", align: "left" },
  { heading: "STATE", align: "left" },
  { heading: "DONE", align: "right" },
  { heading: "FAILED", align: "right", spare: 1 },
  { heading: "COST", align: "right", spare: 2 },
  { heading: "STARTED", align: "left", spare: 6 },
  { heading: "UPDATED", align: "left", spare: 5 },
];

const SIZE_COLUMNS: readonly Column[] = [
  { heading: "AGE", align: "right", spare: 4 },
  { heading: "SIZE", align: "right", spare: 3 },
];

/** What is said in place of an empty list. */
export const NO_RUNS = "There are no runs here yet: start one with `nightshift run`.";

/** A table with a line for each run, in the order given. */
export function renderRunList(runs: readonly RunListEntry[], options: RunListOptions): string {
  const { now } = options;
  const rows = runs.map((run) => [
    ...cellsOf(run, options.workingDirectory),
    ...(now === undefined ? [] : sizeCells(run, now)),
  ]);
  const columns = now === undefined ? COLUMNS : [...COLUMNS, ...SIZE_COLUMNS];
  return renderTable(columns, rows, createPaint(options.color), options.columns).join("\n");
}

function cellsOf(run: RunListEntry, workingDirectory: string): Cell[] {
  const { total, completed, failed } = run.usage.items;
  const ended = formatCount(completed + failed);
  return [
    { text: shortPath(run.directory, workingDirectory) },
    { text: run.state, style: stateColor(run) },
    { text: `${ended}/${total === null ? "?" : formatCount(total)}` },
    { text: formatCount(failed), ...(failed > 0 && { style: "red" as const }) },
    { text: costText(run.usage) },
    { text: formatTime(run.created_at) },
    { text: formatTime(run.updated_at) },
  ];
}

function sizeCells({ created_at: created, bytes = 0 }: RunListEntry, now: number): Cell[] {
  return [
    { text: formatDuration(Math.max(0, now - Date.parse(created))) },
    { text: formatBytes(bytes) },
  ];
}
