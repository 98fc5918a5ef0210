import { formatBytes, formatCount, formatRate } from "./format.ts";
import { createPaint, type Style } from "./paint.ts";
import { type Cell, type Column, renderTable, type TableOptions } from "./table.ts";

/** A run on the shared Redis, as far as it is shown. */
export interface SharedRunView {
  readonly run_id: string;
  readonly state: string;
  readonly total: number | null;
  readonly completed: number | null;
  readonly failed: number | null;
  readonly items_per_second: number | null;
  readonly owner: string | null;
  readonly workers: number;
  readonly queued: number;
  readonly in_hand: number;
  readonly unrecorded: number;
}

export interface SharedView {
  readonly runs: readonly SharedRunView[];
  readonly workers_online: number;
  readonly redis_bytes: number | null;
}

const COLUMNS: readonly Column[] = [
  { heading: "RUN ON REDIS", align: "left" },
  { heading: "STATE", align: "left" },
  { heading: "DONE", align: "right" },
  { heading: "FAILED", align: "right", spare: 1 },
  { heading: "RATE", align: "right", spare: 2 },
  { heading: "OWNER", align: "left", spare: 4 },
  { heading: "WORKERS", align: "right", spare: 3 },
  { heading: "QUEUED", align: "right", spare: 5 },
  { heading: "IN HAND", align: "right", spare: 6 },
  { heading: "UNRECORDED", align: "right", spare: 7 },
];

/** What goes on on a shared Redis: a line for each run, and the server's own. */
export function renderSharedList(view: SharedView, { color, columns }: TableOptions): string {
  const { runs, workers_online: workers, redis_bytes: bytes } = view;
  const server =
    `${formatCount(workers)} ${workers === 1 ? "worker" : "workers"} online` +
    (bytes === null ? "" : `, Redis uses ${formatBytes(bytes)}`);
  if (runs.length === 0) return `There is no run on this Redis. ${server}.`;
  return [...renderTable(COLUMNS, runs.map(cellsOf), createPaint(color), columns), server].join(
    "\n",
  );
}

function cellsOf(run: SharedRunView): Cell[] {
  const { total, completed, failed, owner } = run;
  const ended = completed === null ? "?" : formatCount(completed + (failed ?? 0));
  return [
    { text: run.run_id },
    { text: run.state, style: styleOf(run) },
    { text: `${ended}/${total === null ? "?" : formatCount(total)}` },
    { text: formatCount(failed ?? 0), ...((failed ?? 0) > 0 && { style: "red" as const }) },
    { text: run.items_per_second === null ? "" : formatRate(run.items_per_second, "items") },
    { text: owner ?? "none", ...(owner === null && { style: "yellow" as const }) },
    { text: formatCount(run.workers) },
    { text: formatCount(run.queued) },
    { text: formatCount(run.in_hand) },
    { text: formatCount(run.unrecorded) },
  ];
}

function styleOf({ state }: SharedRunView): Style {
  return state === "running" ? "green" : "yellow";
}
