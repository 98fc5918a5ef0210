import { shellWord } from "../shell-word.ts";
import { plural } from "./format.ts";
import { createPaint, type Paint } from "./paint.ts";
import { shortPath } from "./place.ts";
import type { PriceSources } from "./price-source.ts";
import { type ReasonView, remedyText } from "./remedy.ts";
import { renderRows, type Row, row } from "./rows.ts";
import { oneLine } from "./screen-text.ts";
import { usageRows, type UsageView } from "./usage-rows.ts";

/** How a run ended for now, as far as it is shown. */
export interface ResultView {
  readonly directory: string;
  readonly state: "finished" | "paused" | "cancelled";
  readonly reason: ReasonView | null;
  readonly already_finished: boolean;
  readonly usage: UsageView;
  readonly files: {
    readonly output: string | null;
    readonly results: string;
    readonly errors: string;
    readonly usage: string;
  };
  readonly price_sources: PriceSources;
}

export interface SummaryOptions {
  readonly color: boolean;
  /** Paths inside it are shown relative to it. */
  readonly workingDirectory: string;
}

/** The end of a run, for people: how it ended, what it did, what it cost, where everything is. */
export function renderSummary(result: ResultView, options: SummaryOptions): string {
  const paint = createPaint(options.color);
  const paragraphs = [
    [headline(result, paint), ...remedyLines(result)],
    renderRows(usageRows(result.usage, result.price_sources, paint), paint),
    renderRows(fileRows(result, options.workingDirectory), paint),
    renderRows(nextRows(result, options.workingDirectory), paint),
  ];
  return paragraphs
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
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

function fileRows({ files, usage }: ResultView, workingDirectory: string): Row[] {
  const place = (path: string): string => shortPath(path, workingDirectory);
  return [
    ...(files.output === null ? [] : [row("output", place(files.output))]),
    row("results", place(files.results)),
    ...(usage.items.failed > 0 ? [row("errors", place(files.errors))] : []),
    row("usage", place(files.usage)),
  ];
}

function nextRows({ directory, usage }: ResultView, workingDirectory: string): Row[] {
  if (usage.items.failed === 0) return [];
  const word = shellWord(shortPath(directory, workingDirectory));
  return [
    row("why failed", `nightshift status ${word}`),
    row("try again", `nightshift retry ${word}`),
  ];
}
