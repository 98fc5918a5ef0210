import type { Paint, Style } from "./paint.ts";
import { widthOf } from "./screen-text.ts";

/** A column's heading; numbers are set to the right, so that they end at the same place. */
export interface Column {
  readonly heading: string;
  readonly align: "left" | "right";
  /** Where there is no room for all, those go that have this, the highest first. */
  readonly spare?: number;
}

/** How a table is shown. */
export interface TableOptions {
  readonly color: boolean;
  /** The terminal's columns; absent where there is none, and all are shown. */
  readonly columns?: number | undefined;
}

export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

const GAP = "  ";

/** Lines with a heading above; columns are as wide as their widest cell, and go where they do not fit. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  paint: Paint,
  width = Infinity,
): string[] {
  const headings = columns.map(({ heading }): Cell => ({ text: heading, style: "dim" }));
  const lines = [headings, ...rows];
  const measured = columns.map((column, at) => ({
    ...column,
    at,
    width: Math.max(...lines.map((cells) => widthOf(cells[at]?.text ?? ""))),
  }));
  const shown = fitting(measured, width);
  return lines.map((cells) =>
    shown
      .map(({ at, align, width }) => {
        const { text, style } = cells[at] ?? { text: "" };
        const painted = style === undefined ? text : paint(style, text);
        const space = " ".repeat(width - widthOf(text));
        return align === "right" ? space + painted : painted + space;
      })
      .join(GAP)
      .trimEnd(),
  );
}

/** Without those that can be spared, as far as that is needed: a row that wraps is no row. */
function fitting<T extends Column & { readonly width: number }>(
  columns: readonly T[],
  room: number,
): readonly T[] {
  const needed = columns.reduce((sum, { width }) => sum + width + GAP.length, -GAP.length);
  const most = Math.max(...columns.map(({ spare }) => spare ?? 0));
  // A terminal that does not know its width yet says 0.
  if (needed <= room || room === 0 || most === 0) return columns;
  return fitting(
    columns.filter(({ spare }) => spare !== most),
    room,
  );
}
