import { createPaint } from "../../../src/terminal/paint.ts";
import { type Cell, renderTable } from "../../../src/terminal/table.ts";
import type { Findings } from "./finding.ts";

/** What came of one drill. */
export interface Done {
  readonly name: string;
  readonly findings: Findings;
  readonly seconds: number;
}

/** The table at the end, one line per figure. */
export function renderReport(drills: readonly Done[], color: boolean): string {
  const columns = [
    { heading: "drill", align: "left" },
    { heading: "what", align: "left" },
    { heading: "figure", align: "right" },
    { heading: "mark", align: "right" },
    { heading: "", align: "left" },
  ] as const;
  return renderTable(columns, drills.flatMap(rowsOf), createPaint(color)).join("\n");
}

/** Whether every mark was met; what could not be done here missed none. */
export function allMet({ findings }: Done): boolean {
  return "skipped" in findings || findings.every(({ met }) => met);
}

function rowsOf({ name, findings, seconds }: Done): Cell[][] {
  const time = text(`${name} (${seconds.toFixed(0)} s)`);
  if ("skipped" in findings) {
    return [[time, text(`skipped: ${findings.skipped}`), text(""), text(""), text("-")]];
  }
  return findings.map(({ what, figure, mark, met }, at) => [
    at === 0 ? time : text(""),
    text(what),
    text(figure),
    text(mark),
    met ? text(mark === "" ? "" : "met") : { text: "MISSED", style: "red" },
  ]);
}

function text(content: string): Cell {
  return { text: content };
}
