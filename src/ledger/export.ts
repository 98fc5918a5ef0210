import { open } from "node:fs/promises";
import { join } from "node:path";

import { stringify } from "csv-stringify/sync";

import { readUsage } from "../tokens.ts";
import { FILES, replaceFile } from "./files.ts";
import type { ItemTable } from "./item-table.ts";
import { LineReader } from "./line-reader.ts";
import { type LedgerLine, parseLine } from "./line.ts";

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
  /** Begins the CSV with a byte order mark, for Excel. */
  readonly bom: boolean;
  /** Escapes CSV cells that a spreadsheet would run as formulas. */
  readonly safe: boolean;
  /** False for a process that does not hold the directory: the owner may be writing the same output. */
  readonly isOwner: boolean;
}

/** What the ledger says about one item, in the export's six columns. */
interface Answer {
  readonly completion: string | null;
  readonly finish_reason: string | null;
  readonly prompt_tokens: number | null;
  readonly completion_tokens: number | null;
  readonly total_tokens: number | null;
  readonly error: string | null;
}

const ANSWER_COLUMNS = [
  "completion",
  "finish_reason",
  "prompt_tokens",
  "completion_tokens",
  "total_tokens",
  "error",
] as const satisfies readonly (keyof Answer)[];

const PENDING: Answer = {
  completion: null,
  finish_reason: null,
  prompt_tokens: null,
  completion_tokens: null,
  total_tokens: null,
  error: null,
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
  const names = answerNames(options.columns);
  const render =
    options.format === "csv" ? csvRenderer(options, names) : jsonlRenderer(options.columns, names);
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

/** The added columns' names: one that the input uses already gets a prefix. */
export function answerNames(columns: readonly string[]): readonly string[] {
  const taken = new Set(columns);
  return ANSWER_COLUMNS.map((column) => {
    let name: string = column;
    while (taken.has(name)) name = `nightshift_${name}`;
    return name;
  });
}

interface Renderer {
  readonly header: string;
  rows(rows: readonly [ExportRecord, Answer][]): string;
}

function csvRenderer(options: ExportOptions, names: readonly string[]): Renderer {
  const toCsv = (rows: readonly (readonly unknown[])[]): string =>
    stringify(rows as unknown[][], {
      cast: {
        boolean: String,
        object: (value) => JSON.stringify(value),
        ...(options.safe && { string: withoutFormula }),
      },
    });
  return {
    header: (options.bom ? "\uFEFF" : "") + toCsv([[...options.columns, ...names]]),
    rows: (rows) =>
      toCsv(
        rows.map(([{ source, fields }, answer]) => [
          ...(typeof source !== "string"
            ? source
            : options.columns.map((column) =>
                Object.hasOwn(fields, column) ? fields[column] : "",
              )),
          ...ANSWER_COLUMNS.map((column) => answer[column]),
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

function jsonlRenderer(columns: readonly string[], names: readonly string[]): Renderer {
  const keys = names.map((name) => JSON.stringify(name));
  const columnKeys = columns.map((column) => JSON.stringify(column));
  return {
    header: "",
    rows: (rows) =>
      rows
        .map(([{ source }, answer]) => {
          const added = ANSWER_COLUMNS.map(
            (column, at) => `${keys[at]}:${JSON.stringify(answer[column])}`,
          ).join(",");
          const own =
            typeof source === "string"
              ? // The record's own text, so that no number or key order changes on the way.
                source.trim().slice(1, -1).trim()
              : columnKeys.map((key, at) => `${key}:${JSON.stringify(source[at])}`).join(",");
          return `{${own}${own === "" ? "" : ","}${added}}\n`;
        })
        .join(""),
  };
}

function readAnswer(line: LedgerLine): Answer {
  const note = line.nightshift;
  if (note.code !== undefined) {
    return { ...PENDING, error: `${note.code}: ${note.message ?? ""}` };
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
