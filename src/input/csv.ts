import { CsvError, Parser } from "csv-parse";

import { UsageError } from "../errors.ts";
import { shellWord } from "../shell-word.ts";
import { LONGEST_RECORD_BYTES } from "./limits.ts";

/** One row of a CSV or TSV file. */
export interface CsvRow {
  /** The line on which it starts, counted from 1. */
  readonly line: number;
  readonly values: readonly string[];
}

/** What separates the values of a row. */
export type Delimiter = "," | ";" | "|" | "tab";

/**
 * The rows of a CSV file, header first, one array per chunk of text. Blank lines are skipped.
 *
 * @param isGuess the delimiter was not named: a header that speaks for another one is refused.
 */
export async function* csvRows(
  utf8: AsyncIterable<Buffer>,
  delimiter: Delimiter,
  path: string,
  isGuess = false,
): AsyncGenerator<readonly CsvRow[], void, undefined> {
  let rows: CsvRow[] = [];
  let width = -1;
  // The parser's own count of lines takes a CRLF inside quotes for two.
  let linesBefore = 0;
  const line = (): number => 1 + linesBefore + parser.info.empty_lines;

  const parser = new Parser({
    delimiter: SIGNS[delimiter],
    // All three, because editors mix them; found out from the first line, the rest would keep a stray CR.
    record_delimiter: ["\n", "\r\n", "\r"],
    skip_empty_lines: true,
    // Checked below, with a line number that is right.
    relax_column_count: true,
    max_record_size: LONGEST_RECORD_BYTES,
    on_record: (values: string[]) => {
      if (width === -1) {
        width = values.length;
        if (isGuess) refuseOtherDelimiter(values, delimiter, `${path}:${line()}`);
      }
      if (values.length !== width) throw new UsageError(ragged(`${path}:${line()}`, values, width));
      rows.push({ line: line(), values });
      linesBefore += 1 + breaksIn(values);
      // Nothing for the stream to queue: the rows leave through `rows`.
      return null;
    },
  });
  // Each write reports its own failure; the event would end the process.
  parser.on("error", () => undefined);

  const settle = async (start: (done: (error?: Error | null) => void) => void): Promise<void> => {
    try {
      await new Promise<void>((resolve, reject) => {
        start((error) => (error ? reject(error) : resolve()));
      });
    } catch (error) {
      throw error instanceof CsvError ? explained(error, `${path}:${line()}`) : error;
    }
  };

  for await (const chunk of utf8) {
    if (chunk.length === 0) continue;
    await settle((done) => parser.write(chunk, done));
    if (rows.length > 0) yield rows;
    rows = [];
  }
  await settle((done) => parser.end(done));
  if (rows.length > 0) yield rows;
}

/** How they are written in a file. */
export const SIGNS: Readonly<Record<Delimiter, string>> = {
  ",": ",",
  ";": ";",
  "|": "|",
  tab: "\t",
};

/** Excel writes semicolons in half of Europe, and databases tabs, all of it called .csv. */
function refuseOtherDelimiter(
  header: readonly string[],
  delimiter: Delimiter,
  where: string,
): void {
  const [only = ""] = header.length === 1 ? header : [];
  const other = ([";", "tab", ","] as const).find((name) => only.includes(SIGNS[name]));
  if (other === undefined) return;
  throw new UsageError(
    `${where}: the header is a single column with ${other === "tab" ? "tabs" : `"${other}"`} in it. ` +
      `If they separate the columns, add --delimiter ${typed(other)} (in a job file: delimiter: "${other}"), ` +
      `else --delimiter ${typed(delimiter)}.`,
  );
}

/** A shell takes a comma as it is, but readers would take it for the sentence's. */
function typed(delimiter: Delimiter): string {
  return delimiter === "," ? "','" : shellWord(delimiter);
}

/** Line breaks inside quoted values: the row spans so many lines more. */
function breaksIn(values: readonly string[]): number {
  let breaks = 0;
  for (const value of values) {
    if (value.includes("\n") || value.includes("\r")) {
      breaks += value.match(/\r\n|\n|\r/g)?.length ?? 0;
    }
  }
  return breaks;
}

function ragged(where: string, values: readonly string[], width: number): string {
  const found = `${values.length} ${values.length === 1 ? "value" : "values"}`;
  const advice =
    values.length > width
      ? "Put a value that holds a delimiter or a line break in double quotes."
      : "Each column needs a value, if an empty one; put one that holds a line break in double quotes.";
  return `${where}: found ${found} where the header has ${width}. ${advice}`;
}

function explained(error: CsvError, where: string): UsageError {
  return new UsageError(`${where}: ${problem(error)}`, { cause: error });
}

function problem(error: CsvError): string {
  switch (error.code as string) {
    case "CSV_MAX_RECORD_SIZE":
      return "the record that starts here is longer than 64 MB. Most likely a double quote is not closed.";
    case "CSV_QUOTE_NOT_CLOSED":
      return 'a double quote in the record that starts here is never closed. Close it, or write "" for a quote that is text.';
    case "CSV_INVALID_CLOSING_QUOTE":
    case "INVALID_OPENING_QUOTE":
      return 'a stray double quote in the record that starts here. Put the whole value in double quotes and write "" for a quote inside it.';
    default:
      return error.message;
  }
}
