import type { Paint } from "./paint.ts";

/** A label with the lines that it stands beside. */
export interface Row {
  readonly label: string;
  readonly lines: readonly string[];
}

const LABEL_COLUMNS = 12;

/** A row of one line. */
export function row(label: string, line: string): Row {
  return { label, lines: [line] };
}

/** Rows with their labels in a dim column of their own. */
export function renderRows(rows: readonly Row[], paint: Paint): string[] {
  return rows.flatMap(({ label, lines }) =>
    lines.map(
      (line, at) => `  ${paint("dim", (at === 0 ? label : "").padEnd(LABEL_COLUMNS))}${line}`,
    ),
  );
}
