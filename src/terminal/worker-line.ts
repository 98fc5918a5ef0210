import { formatCount, formatRate } from "./format.ts";
import { oneLine } from "./screen-text.ts";

/** Where a worker stands, as far as it is shown. */
export interface WorkerView {
  readonly runs: readonly string[];
  readonly in_flight: number;
  readonly in_hand: number;
  readonly completed: number;
  readonly failed: number;
  readonly items_per_second: number;
  readonly waiting: string | null;
}

const LINE_EVERY_MS = 10_000;

/** Says now and then where a worker stands; one that is idle has nothing new to say. */
export function createWorkerLines(
  clock: { monotonic(): number },
  write: (line: string) => void,
): (view: WorkerView) => void {
  let nextAt = clock.monotonic() + LINE_EVERY_MS;
  let said = "";
  return (view) => {
    const line = renderWorkerLine(view);
    const now = clock.monotonic();
    if (now < nextAt || line === said) return;
    nextAt = now + LINE_EVERY_MS;
    said = line;
    write(line);
  };
}

/** Where a worker stands in one plain line. */
export function renderWorkerLine(view: WorkerView): string {
  const { runs, completed, failed, waiting, in_flight: calls } = view;
  const waitingItems = Math.max(0, view.in_hand - calls);
  const facts = [
    runs.length === 0
      ? "no runs"
      : `${formatCount(runs.length)} ${runs.length === 1 ? "run" : "runs"}`,
    `${formatCount(completed)} done`,
    ...(failed > 0 ? [`${formatCount(failed)} failed`] : []),
    formatRate(view.items_per_second, "items"),
    `${formatCount(calls)} in flight`,
    ...(waitingItems > 0 ? [`${formatCount(waitingItems)} waiting`] : []),
  ];
  return facts.join(", ") + (waiting === null ? "" : `; ${oneLine(waiting)}`);
}
