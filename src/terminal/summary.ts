import { shellWord } from "../shell-word.ts";
import { type BudgetView, budgetRows } from "./budget-text.ts";
import { formatCount, plural } from "./format.ts";
import { type LimitsView, limitRows } from "./limit-rows.ts";
import { createPaint, type Paint } from "./paint.ts";
import { shortPath } from "./place.ts";
import type { PriceSources } from "./price-source.ts";
import { type ReasonView, remedyText } from "./remedy.ts";
import { renderRows, type Row, row } from "./rows.ts";
import { clip, oneLine } from "./screen-text.ts";
import { trialRows, usageRows, type UsageView } from "./usage-rows.ts";

interface UnmatchedView {
  /** The conditions, as `--where` takes them. */
  readonly where: readonly string[];
  /** Failed items by code. */
  readonly failed: Readonly<Record<string, number>>;
}

/** How a run ended for now, as far as it is shown. */
export interface ResultView {
  readonly directory: string;
  readonly state: "finished" | "paused" | "cancelled";
  readonly reason: ReasonView | null;
  readonly already_finished: boolean;
  /** What a retry found that no failed item matched. */
  readonly unmatched: UnmatchedView | null;
  /** In the whole input; null where nobody has read it. */
  readonly records: number | null;
  readonly usage: UsageView;
  readonly budget: BudgetView | null;
  readonly files: {
    readonly output: string | null;
    readonly results: string;
    readonly errors: string;
    readonly usage: string | null;
  };
  readonly price_sources: PriceSources;
  readonly limits_found: LimitsView;
}

export interface SummaryOptions {
  readonly color: boolean;
  /** Paths inside it are shown relative to it. */
  readonly workingDirectory: string;
  /** Whether items failed for want of `max_tokens`: asked as before they would again. @default false */
  readonly cut?: boolean;
}

/** A gateway's codes may be many. */
const CAUSES_COLUMNS = 200;

/** The end of a run, for people: how it ended, what it did, what it cost, where everything is. */
export function renderSummary(result: ResultView, options: SummaryOptions): string {
  const paint = createPaint(options.color);
  const paragraphs = [
    result.unmatched === null
      ? [headline(result, paint), ...remedyLines(result)]
      : unmatchedLines(result, result.unmatched, options.workingDirectory, paint),
    renderRows(
      [
        ...trialRows(result),
        ...usageRows(result.usage, result.price_sources, paint),
        ...budgetRows(result.budget),
        ...limitRows(result.limits_found),
      ],
      paint,
    ),
    renderRows(fileRows(result, options.workingDirectory), paint),
    renderRows(nextRows(result, options), paint),
  ];
  return paragraphs
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

/** What is said of failed items where nothing else is said; null where none failed. */
export function renderFailed(result: ResultView, options: SummaryOptions): string | null {
  const { failed } = result.usage.items;
  if (failed === 0) return null;
  const { status, retry } = commandsFor(result, options);
  return `${plural(failed, "item")} failed: \`${status}\` says why, \`${retry}\` asks again`;
}

function headline(result: ResultView, paint: Paint): string {
  const { failed } = result.usage.items;
  const why = result.reason === null ? "" : `: ${oneLine(result.reason.message)}`;
  switch (result.state) {
    case "paused":
      return paint(["bold", "yellow"], "⏸ paused") + why;
    case "cancelled":
      return paint(["bold", "yellow"], "⏹ cancelled") + why;
    case "finished": {
      const again = result.already_finished
        ? ": there was nothing left to do, and nothing was called"
        : "";
      const word = result.already_finished ? "already finished" : "finished";
      return failed > 0
        ? paint(["bold", "yellow"], `⚠ ${word}, ${plural(failed, "item")} failed`) + again
        : paint(["bold", "green"], `✔ ${word}`) + again;
    }
  }
}

function remedyLines({ reason }: ResultView): string[] {
  return reason === null ? [] : [`  ${remedyText(reason.remedy)}`];
}

/** A retry that had nothing to do: a mistyped condition must not look like a run that is done. */
function unmatchedLines(
  { state, directory }: ResultView,
  { where, failed }: UnmatchedView,
  workingDirectory: string,
  paint: Paint,
): string[] {
  const causes = Object.entries(failed).toSorted(([, a], [, b]) => b - a);
  const sum = causes.reduce((total, [, count]) => total + count, 0);
  const list = causes.map(([code, count]) => `${formatCount(count)} ${oneLine(code)}`).join(", ");
  const wanted = where.map(oneLine).join(" and ");
  const headline =
    sum === 0
      ? paint(["bold", "green"], "✔ no item has failed")
      : paint(["bold", "yellow"], `⚠ no failed item matches ${wanted}`);
  const word = shellWord(shortPath(directory, workingDirectory));
  return [
    `${headline}: nothing was called`,
    ...(sum === 0 ? [] : [clip(`  ${plural(sum, "item")} failed: ${list}`, CAUSES_COLUMNS)]),
    ...(state === "finished"
      ? []
      : [`  The run is ${state}: \`nightshift status ${word}\` says how to go on.`]),
  ];
}

function fileRows({ files, usage }: ResultView, workingDirectory: string): Row[] {
  const place = (path: string): string => shortPath(path, workingDirectory);
  return [
    ...(files.output === null ? [] : [row("output", place(files.output))]),
    row("results", place(files.results)),
    ...(usage.items.failed > 0 ? [row("errors", place(files.errors))] : []),
    ...(files.usage === null ? [] : [row("usage", place(files.usage))]),
  ];
}

function nextRows(result: ResultView, options: SummaryOptions): Row[] {
  const { completed, failed } = result.usage.items;
  const { status, retry, output } = commandsFor(result, options);
  return [
    ...(failed > 0 ? [row("why failed", status), row("try again", retry)] : []),
    // Few items may be left, and what keeps them may last.
    ...(result.state !== "finished" && completed > 0
      ? [row("so far", `${output} writes what is there`)]
      : []),
  ];
}

function commandsFor(
  { directory }: ResultView,
  { workingDirectory, cut = false }: SummaryOptions,
): Record<"status" | "retry" | "output", string> {
  const word = shellWord(shortPath(directory, workingDirectory));
  return {
    status: `nightshift status ${word}`,
    retry: `nightshift retry ${word}${cut ? " --param max_tokens=<more>" : ""}`,
    output: `nightshift export ${word}`,
  };
}
