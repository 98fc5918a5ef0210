import { UsageError } from "../errors.ts";
import { type ByteOptions, fileContent } from "./bytes.ts";
import { type CsvRow, csvRows, type Delimiter } from "./csv.ts";
import { fewLines } from "./few-lines.ts";
import { formatOf, type InputFormat } from "./format.ts";
import { type JsonLine, jsonLines } from "./jsonl.ts";
import { utf8Text } from "./text.ts";

/** One record of the input. */
export interface InputRecord {
  /** Counted from 0. */
  readonly index: number;
  /** The file that it is in. */
  readonly path: string;
  /** The line on which it starts, counted from 1. */
  readonly line: number;
  /** What templates see: the JSON object, or the CSV values by column. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The original for the export: the CSV values as they were, or the JSONL line's own text. */
  readonly source: readonly string[] | string;
}

/** What the reading of an input may be told. */
export interface InputOptions extends ByteOptions {
  /** Any label that the WHATWG Encoding standard knows. @default "utf-8", or what the byte order mark says */
  readonly encoding?: string;
  /** What separates the columns of a table. @default comma, or tab for .tsv */
  readonly delimiter?: Delimiter;
}

/** An input whose beginning has been read and is sound. */
export interface OpenedInput {
  readonly format: InputFormat["kind"];
  /** The CSV header, duplicates and empty names included; null for JSONL. */
  readonly columns: readonly string[] | null;
  /** The records in order, to be read once. Ending the loop early closes the file. */
  batches(): AsyncIterable<readonly InputRecord[]>;
  /** Closes the file; needed only where `batches` was not looped over. */
  close(): Promise<void>;
}

const BATCH_RECORDS = 256;

/**
 * Opens an input file and reads its first records.
 * @throws UsageError naming `file:line` when the file or its beginning cannot be read; so may `batches`.
 */
export async function openInput(path: string, options: InputOptions = {}): Promise<OpenedInput> {
  const { delimiter } = options;
  const { kind, gzip } = formatOf(path);
  const text = fewLines(utf8Text(fileContent(path, gzip, options), path, options.encoding));
  const { columns, records } =
    kind === "jsonl"
      ? { columns: null, records: jsonRecords(jsonLines(text, path), path) }
      : await csvRecords(
          path,
          csvRows(text, delimiter ?? (kind === "csv" ? "," : "tab"), path, delimiter === undefined),
        );

  const rest = inBatches(records);
  const first = await rest.next();
  if (first.done === true) throw new UsageError(`${path}: ${emptyBecause(columns)}`);

  const close = async (): Promise<void> => {
    await rest.return();
  };
  return {
    format: kind,
    columns,
    async *batches() {
      try {
        yield first.value;
        yield* rest;
      } finally {
        await close();
      }
    },
    close,
  };
}

type Records = AsyncGenerator<readonly InputRecord[], void, undefined>;

async function* jsonRecords(
  chunks: AsyncGenerator<readonly JsonLine[], void, undefined>,
  path: string,
): Records {
  let index = 0;
  for await (const lines of chunks) {
    yield lines.map(({ line, text, value }) => ({
      index: index++,
      path,
      line,
      fields: value,
      source: text,
    }));
  }
}

async function csvRecords(
  path: string,
  chunks: AsyncGenerator<readonly CsvRow[], void, undefined>,
): Promise<{ columns: readonly string[]; records: Records }> {
  const first = await chunks.next();
  const [header, ...rows] = first.done === true ? [] : first.value;
  const columns = header?.values ?? [];
  return { columns, records: numbered(path, columns, rows, chunks) };
}

async function* numbered(
  path: string,
  columns: readonly string[],
  first: readonly CsvRow[],
  rest: AsyncGenerator<readonly CsvRow[], void, undefined>,
): Records {
  let index = 0;
  const toRecord = ({ line, values }: CsvRow): InputRecord => ({
    index: index++,
    path,
    line,
    fields: fieldsOf(columns, values),
    source: values,
  });
  try {
    yield first.map(toRecord);
    for await (const rows of rest) yield rows.map(toRecord);
  } finally {
    await rest.return();
  }
}

// With an empty prototype a column called `__proto__` or `constructor` is like any other.
// (Unlike `Object.create(null)` this keeps V8's fast properties.)
const NO_INHERITANCE: object = Object.freeze(Object.create(null) as object);

function fieldsOf(columns: readonly string[], values: readonly string[]): Record<string, unknown> {
  const fields = Object.create(NO_INHERITANCE) as Record<string, unknown>;
  for (let at = 0; at < columns.length; at += 1) fields[columns[at] ?? ""] = values[at];
  return fields;
}

async function* inBatches(chunks: Records): Records {
  for await (const records of chunks) {
    for (let start = 0; start < records.length; start += BATCH_RECORDS) {
      yield records.slice(start, start + BATCH_RECORDS);
    }
  }
}

function emptyBecause(columns: readonly string[] | null): string {
  return columns === null || columns.length === 0
    ? "the file is empty: there is nothing to run."
    : "there is a header but no record below it.";
}
