import { UsageError } from "../errors.ts";

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

/** The name most like `wanted`, if any is like it at all. */
function nearest(wanted: string, names: readonly string[]): string | undefined {
  const same = names.find((name) => plain(name) === plain(wanted));
  if (same !== undefined) return same;
  const furthest = Math.max(1, Math.floor(wanted.length / 3));
  let best: string | undefined;
  let bestDistance = furthest + 1;
  for (const name of names) {
    if (Math.abs(name.length - wanted.length) > furthest) continue;
    const distance = editDistance(wanted, name);
    if (distance < bestDistance && distance < wanted.length) {
      best = name;
      bestDistance = distance;
    }
  }
  // `{{ my column }}` asks for `my`.
  return best ?? names.find((name) => wanted !== "" && name.startsWith(`${wanted} `));
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_-]/g, "");
}

/** Levenshtein: insertions, deletions and replacements that turn one text into the other. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let at = 1; at <= to.length; at += 1) {
      const replaced = (previous[at - 1] ?? 0) + (from[row - 1] === to[at - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[at] ?? 0) + 1, (current[at - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
