import { type BudgetView, budgetRows } from "./budget-text.ts";
import { type FailuresView, renderFailures } from "./failures-text.ts";
import { formatCount, formatDuration, formatTime, plural } from "./format.ts";
import { createPaint, type Paint } from "./paint.ts";
import { shortPath } from "./place.ts";
import type { PriceSources } from "./price-source.ts";
import { type ReasonView, remedyText } from "./remedy.ts";
import { renderRows, type Row, row } from "./rows.ts";
import { oneLine } from "./screen-text.ts";
import { trialRows, usageRows, type UsageView } from "./usage-rows.ts";

/** Where a run stands, as far as it is shown. Times are ISO 8601 in UTC. */
export interface StatusView {
  readonly directory: string;
  readonly run_id: string;
  readonly job: string;
  /** `interrupted`: it was running when its process died. */
  readonly state: "running" | "interrupted" | "paused" | "cancelled" | "finished";
  readonly reason: ReasonView | null;
  readonly input: string;
  /** In the whole input; null where nobody has read it. */
  readonly records: number | null;
  readonly created_at: string;
  readonly updated_at: string;
  /** The process that works on it now. */
  readonly in_use_by: { readonly host: string; readonly pid: number } | null;
  readonly usage: UsageView;
  readonly budget: BudgetView | null;
  readonly errors: readonly FailuresView[];
  readonly price_sources: PriceSources;
}

export interface StatusOptions {
  readonly color: boolean;
  /** Paths inside it are shown relative to it. */
  readonly workingDirectory: string;
}

const SIGNS = {
  running: "▶",
  interrupted: "⏸",
  paused: "⏸",
  cancelled: "⏹",
  finished: "✔",
} as const;

/** Where one run stands, what it cost so far, and why items failed. */
export function renderStatus(status: StatusView, options: StatusOptions): string {
  const paint = createPaint(options.color);
  const paragraphs = [
    [headline(status, paint), ...reasonLines(status)],
    renderRows(runRows(status, options.workingDirectory), paint),
    renderRows(
      [
        ...trialRows(status),
        ...usageRows(status.usage, status.price_sources, paint),
        ...budgetRows(status.budget),
      ],
      paint,
    ),
    ...status.errors.map((failures) => renderFailures(failures, paint)),
  ];
  return paragraphs.map((lines) => lines.join("\n")).join("\n\n");
}

function headline(status: StatusView, paint: Paint): string {
  const { total, completed, failed } = status.usage.items;
  const ended = completed + failed;
  const sign = status.state === "finished" && failed > 0 ? "⚠" : SIGNS[status.state];
  const done =
    total === null || total === 0
      ? `${plural(ended, "item")} done`
      : `${formatCount(ended)} of ${plural(total, "item")} done (${Math.floor((ended / total) * 100)}%)`;
  return `${paint(["bold", stateColor(status)], `${sign} ${status.state}`)}: ${done}`;
}

/** Whether a state is good news, news, or wants somebody to look. */
export function stateColor({
  state,
  usage,
}: Pick<StatusView, "state" | "usage">): "cyan" | "green" | "yellow" {
  if (state === "running") return "cyan";
  return state === "finished" && usage.items.failed === 0 ? "green" : "yellow";
}

function reasonLines({ state, reason, in_use_by: owner, usage }: StatusView): string[] {
  const { items } = usage;
  if (state === "interrupted") {
    return [
      "  Its process is gone. Run the same command again: it goes on where it stopped.",
      // Only a retry asks anything where no item is pending.
      ...(items.pending === 0 && items.failed > 0
        ? [
            "  After a retry that is `nightshift retry`: `nightshift run` does not ask failed items again.",
          ]
        : []),
    ];
  }
  if (reason === null) return [];
  // A held run's process is there and waits: nobody need start another.
  const remedy = owner === null ? remedyText(reason.remedy) : oneLine(reason.remedy);
  return [`  ${oneLine(reason.message)}`, `  ${remedy}`];
}

function runRows(status: StatusView, workingDirectory: string): Row[] {
  const models = Object.keys(status.usage.models).map(oneLine);
  const owner = status.in_use_by;
  const eta = etaText(status);
  return [
    row("directory", shortPath(status.directory, workingDirectory)),
    row("run", oneLine(status.run_id)),
    row("job", oneLine(status.job)),
    row("input", shortPath(status.input, workingDirectory)),
    ...(models.length > 0 ? [row("model", models.join(", "))] : []),
    row("started", formatTime(status.created_at)),
    row("updated", formatTime(status.updated_at)),
    ...(owner === null ? [] : [row("in use by", `process ${owner.pid} on ${oneLine(owner.host)}`)]),
    ...(eta === null ? [] : [row("ETA", eta)]),
  ];
}

/** By the rate of the whole run: all that can be told from outside. */
function etaText({ state, usage }: StatusView): string | null {
  const { pending } = usage.items;
  const rate = usage.items_per_second;
  if (state !== "running" || pending === null || pending <= 0) return null;
  if (rate === null || rate <= 0) return null;
  return `${formatDuration((pending / rate) * 1000)} at the rate so far`;
}
