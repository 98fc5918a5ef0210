import type { Paint, Style } from "./paint.ts";
import { widthOf } from "./screen-text.ts";

/** A column's heading; numbers are set to the right, so that they end at the same place. */
export interface Column {
  readonly heading: string;
  readonly align: "left" | "right";
}

export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

/** Lines with a heading above; columns are as wide as their widest cell. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  paint: Paint,
): string[] {
  const headings = columns.map(({ heading }): Cell => ({ text: heading, style: "dim" }));
  const lines = [headings, ...rows];
  const widths = columns.map((_, at) =>
    Math.max(...lines.map((cells) => widthOf(cells[at]?.text ?? ""))),
  );
  return lines.map((cells) =>
    columns
      .map(({ align }, at) => {
        const { text, style } = cells[at] ?? { text: "" };
        const painted = style === undefined ? text : paint(style, text);
        const space = " ".repeat((widths[at] ?? 0) - widthOf(text));
        return align === "right" ? space + painted : painted + space;
      })
      .join("  ")
      .trimEnd(),
  );
}
