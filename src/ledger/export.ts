import { open } from "node:fs/promises";
import { join } from "node:path";

import { stringify } from "csv-stringify/sync";

import type { Reused } from "../outcome.ts";
import { readUsage } from "../tokens.ts";
import { FILES, replaceFile } from "./files.ts";
import type { ItemTable } from "./item-table.ts";
import { LineReader } from "./line-reader.ts";
import { type LedgerLine, parseLine, reusedOfNote } from "./line.ts";

/** An input record as the export needs it: its original is written back untouched. */
export interface ExportRecord {
  readonly index: number;
  readonly fields: Readonly<Record<string, unknown>>;
  /** A CSV record's values, or a JSONL record's own text. */
  readonly source: readonly string[] | string;
}

export interface ExportOptions {
  readonly directory: string;
  readonly format: "csv" | "jsonl";
  /** The input's columns in order: a CSV's header, or all names that a JSONL's records use. */
  readonly columns: readonly string[];
  /** The sign between the columns of a CSV. */
  readonly delimiter: string;
  /** Begins the CSV with a byte order mark, for Excel. */
  readonly bom: boolean;
  /** Escapes CSV cells that a spreadsheet would run as formulas. */
  readonly safe: boolean;
  /** Adds a column that says whose answer it is where an item was not asked for itself. */
  readonly marked: boolean;
  /** False for a process that does not hold the directory: the owner may be writing the same output. */
  readonly isOwner: boolean;
}

/** What the ledger says about one item, in the export's columns. */
interface Answer {
  readonly completion: string | null;
  readonly finish_reason: string | null;
  readonly prompt_tokens: number | null;
  readonly completion_tokens: number | null;
  readonly total_tokens: number | null;
  readonly error: string | null;
  readonly reused: Reused["kind"] | null;
}

type Column = keyof Answer;

const ANSWER_COLUMNS = [
  "completion",
  "finish_reason",
  "prompt_tokens",
  "completion_tokens",
  "total_tokens",
  "error",
] as const satisfies readonly Column[];

const PENDING: Answer = {
  completion: null,
  finish_reason: null,
  prompt_tokens: null,
  completion_tokens: null,
  total_tokens: null,
  error: null,
  reused: null,
};

/**
 * Writes every record with its answer, in input order, to `output.csv` or `output.jsonl`.
 *
 * @returns the path of the file.
 */
export async function exportOutput(
  records: AsyncIterable<readonly ExportRecord[]>,
  items: ItemTable,
  options: ExportOptions,
): Promise<string> {
  const path = join(options.directory, FILES.output(options.format));
  const added = columnsOf(options);
  const render =
    options.format === "csv" ? csvRenderer(options, added) : jsonlRenderer(options.columns, added);
  const temporary = options.isOwner ? `${path}.tmp` : `${path}.${process.pid}.tmp`;
  const results = new LineReader(join(options.directory, FILES.results));
  const errors = new LineReader(join(options.directory, FILES.errors));
  const write = async (): Promise<void> => {
    const file = await open(temporary, "w");
    try {
      await file.writeFile(render.header);
      for await (const batch of records) {
        const rows: [ExportRecord, Answer][] = [];
        for (const record of batch) {
          const state = items.state(record.index);
          if (state === "pending") {
            rows.push([record, PENDING]);
            continue;
          }
          const reader = state === "completed" ? results : errors;
          rows.push([record, readAnswer(parseLine(await reader.read(items.offset(record.index))))]);
        }
        await file.writeFile(render.rows(rows));
      }
    } finally {
      await file.close();
    }
  };
  try {
    await replaceFile(path, write, temporary);
  } finally {
    await Promise.all([results.close(), errors.close()]);
  }
  return path;
}

/** An added column and its name in the output. */
type NamedColumn = readonly [column: Column, name: string];

function columnsOf({ columns, marked }: ExportOptions): readonly NamedColumn[] {
  const added: readonly Column[] = marked ? [...ANSWER_COLUMNS, "reused"] : ANSWER_COLUMNS;
  const names = answerNames(columns, added);
  return added.map((column, at) => [column, names[at] ?? column]);
}

/** The added columns' names: one that the input uses already gets a prefix. */
export function answerNames(
  columns: readonly string[],
  added: readonly Column[] = ANSWER_COLUMNS,
): readonly string[] {
  const taken = new Set(columns);
  return added.map((column) => {
    let name: string = column;
    while (taken.has(name)) name = `nightshift_${name}`;
    return name;
  });
}

interface Renderer {
  readonly header: string;
  rows(rows: readonly [ExportRecord, Answer][]): string;
}

function csvRenderer(options: ExportOptions, added: readonly NamedColumn[]): Renderer {
  const toCsv = (rows: readonly (readonly unknown[])[]): string =>
    stringify(rows as unknown[][], {
      delimiter: options.delimiter,
      cast: {
        boolean: String,
        object: (value) => JSON.stringify(value),
        ...(options.safe && { string: withoutFormula }),
      },
    });
  return {
    header:
      (options.bom ? "\uFEFF" : "") +
      toCsv([[...options.columns, ...added.map(([, name]) => name)]]),
    rows: (rows) =>
      toCsv(
        rows.map(([{ source, fields }, answer]) => [
          ...(typeof source !== "string"
            ? source
            : options.columns.map((column) =>
                Object.hasOwn(fields, column) ? fields[column] : "",
              )),
          ...added.map(([column]) => answer[column]),
        ]),
      ),
  };
}

/**
 * Blanks and line breaks before the sign do not keep every spreadsheet from running a formula, nor do
 * the wide signs of East Asian keyboards.
 */
function withoutFormula(cell: string): string {
  return /^[\t\r]|^\s*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]/.test(cell) ? `'${cell}` : cell;
}

function jsonlRenderer(columns: readonly string[], added: readonly NamedColumn[]): Renderer {
  const addedKeys = added.map(([column, name]) => [column, JSON.stringify(name)] as const);
  const columnKeys = columns.map((column) => JSON.stringify(column));
  return {
    header: "",
    rows: (rows) =>
      rows
        .map(([{ source }, answer]) => {
          const values = addedKeys
            .map(([column, key]) => `${key}:${JSON.stringify(answer[column])}`)
            .join(",");
          const own =
            typeof source === "string"
              ? // The record's own text, so that no number or key order changes on the way.
                source.trim().slice(1, -1).trim()
              : columnKeys.map((key, at) => `${key}:${JSON.stringify(source[at])}`).join(",");
          return `{${own}${own === "" ? "" : ","}${values}}\n`;
        })
        .join(""),
  };
}

function readAnswer(line: LedgerLine): Answer {
  const note = line.nightshift;
  const reused = reusedOfNote(note);
  if (note.code !== undefined) {
    return { ...PENDING, error: `${note.code}: ${note.message ?? ""}`, reused };
  }
  const body = line.response?.body as {
    choices?: { message?: Record<string, unknown>; finish_reason?: unknown }[];
    usage?: unknown;
  } | null;
  const choice = body?.choices?.[0];
  const usage = readUsage(body?.usage);
  return {
    completion: completionText(choice?.message ?? {}),
    finish_reason: typeof choice?.finish_reason === "string" ? choice.finish_reason : null,
    prompt_tokens: usage?.prompt ?? null,
    completion_tokens: usage?.completion ?? null,
    total_tokens: usage?.total ?? null,
    error: null,
    reused,
  };
}

/** The answer's text; a refusal or tool calls where the model gave those instead. */
function completionText(message: Record<string, unknown>): string {
  const { content, refusal, tool_calls: toolCalls } = message;
  if (typeof content === "string" && content !== "") return content;
  if (typeof refusal === "string") return refusal;
  if (Array.isArray(toolCalls)) return JSON.stringify(toolCalls);
  if (Array.isArray(content)) return JSON.stringify(content);
  return "";
}
