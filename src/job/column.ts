import { UsageError } from "../errors.ts";
import { nearest } from "./nearest.ts";

/** How a template refers to a column: names with spaces or signs need brackets. */
export function columnReference(name: string): string {
  return /^[\p{L}_][\p{L}\p{N}_-]*$/u.test(name) && !LIQUID_WORDS.has(name)
    ? `{{ ${name} }}`
    : `{{ [${JSON.stringify(name)}] }}`;
}

const LIQUID_WORDS: ReadonlySet<string> = new Set(
  "true false nil null empty blank and or not contains".split(" "),
);

/**
 * Refuses names that the header does not have, or has twice.
 * @throws UsageError with the columns that exist and the likeliest one.
 */
export function checkColumns(
  names: readonly string[],
  columns: readonly string[],
  where: string,
): void {
  for (const name of names) {
    const count = columns.filter((column) => column === name).length;
    if (count === 0) throw unknownColumn(name, columns, where);
    if (count > 1) {
      throw new UsageError(
        `${where}: the header has ${count} columns called \`${name}\`. Give each its own name.`,
      );
    }
  }
}

const MOST_COLUMNS_LISTED = 20;

function unknownColumn(name: string, columns: readonly string[], where: string): UsageError {
  const listed = columns.slice(0, MOST_COLUMNS_LISTED).map((column) => `\`${column}\``);
  const more = columns.length > listed.length ? ` and ${columns.length - listed.length} more` : "";
  const near = nearest(name, columns);
  const hint = near === undefined ? "" : ` Did you mean ${columnReference(near)}?`;
  return new UsageError(
    `${where}: unknown column \`${name}\`. The columns are ${listed.join(", ")}${more}.${hint}`,
  );
}
