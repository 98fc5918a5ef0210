import { type InputOptions, openInput } from "../input/records.ts";
import { columnReference } from "../job/column.ts";
import { isBatchLine, isRequestBody } from "../job/request.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Enough to see whether the values of a column differ. */
const RECORDS_LOOKED_AT = 10_000;
const LONGEST_EXAMPLE = 60;
const TEXT_NAMES =
  /^(text|content|prompt|question|body|message|review|comment|description|input|文本|内容|评论|问题)$/i;
/** How a draft names what lies around it, as seen from its own place. */
export interface DraftPlace {
  readonly name: string;
  readonly input: string;
  /** The working directory's `runs/`. */
  readonly runs: string;
  /** The JSON Schema, for editors. */
  readonly schema: string;
}

/**
 * The text of a job file for an input: its columns are named, its prompt is ready to be edited.
 *
 * @param path of the input, to read its first records.
 */
export async function draftJob(
  path: string,
  place: DraftPlace,
  options: Pick<InputOptions, "encoding" | "delimiter">,
): Promise<string> {
  const glance = await glanceAt(path, options);
  const { columns, first } = glance;
  return [
    `# yaml-language-server: $schema=${place.schema}`,
    `# Try it:  npx nightshift run <this file> --dry-run    then  --first 5`,
    `name: ${JSON.stringify(place.name)}`,
    `input: ${JSON.stringify(place.input)}`,
    ...Object.entries(options).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
    ...(isBatchLine(first)
      ? batchLines(glance)
      : [
          MODEL_LINE,
          ...(isRequestBody(first) ? REQUEST_LINES : promptLines(columns, first)),
          "params:",
          "  temperature: 0",
          "  max_tokens: 200             # bounds what an answer can cost",
          ...idLines(glance),
        ]),
    "# limits: { concurrency: 64, rpm: 3000, tpm: 200000 }   # what your account allows, if you know it",
    "# timeout: 60s",
    "# retry: { attempts: 6 }",
    `# out: ${JSON.stringify(`${place.runs}/{{ name }}-{{ date }}`)}`,
    "",
  ].join("\n");
}

const MODEL_LINE =
  "model: gpt-4o-mini            # `npx nightshift models` lists what your gateway offers";
const REQUEST_LINES = [
  "# The input's lines are requests already: no prompt is needed here. What a line says of its model",
  "# and its params counts; what stands here is for lines that leave it out.",
];

/** What the beginning of an input shows. */
interface Glance {
  readonly columns: readonly string[];
  readonly first: Fields;
  /** Whether every OpenAI Batch line names its model. */
  readonly namesModels: boolean;
  /** Columns that are called like an id. */
  readonly likelyIds: readonly string[];
  /** The first of them whose values differ, as far as was looked. */
  readonly id: string | undefined;
}

async function glanceAt(
  path: string,
  options: Pick<InputOptions, "encoding" | "delimiter">,
): Promise<Glance> {
  const input = await openInput(path, options);
  let columns: readonly string[] = [];
  let first: Fields | null = null;
  let namesModels = true;
  let looked = 0;
  const seen = new Map<string, Set<string>>();
  for await (const batch of input.batches()) {
    for (const { fields } of batch) {
      if (first === null) {
        first = fields;
        columns = [...new Set(input.columns ?? Object.keys(fields))].filter((name) => name !== "");
        for (const name of columns.filter(isLikelyId)) seen.set(name, new Set());
      }
      namesModels &&= !isBatchLine(fields) || "model" in fields.body;
      for (const [name, values] of seen) if (!isNew(fields[name], values)) seen.delete(name);
    }
    looked += batch.length;
    if (looked >= RECORDS_LOOKED_AT) break;
  }
  return {
    columns,
    first: first ?? {},
    namesModels,
    likelyIds: columns.filter(isLikelyId),
    id: [...seen.keys()][0],
  };
}

function isLikelyId(column: string): boolean {
  return (
    /(^|[\s_.-])(id|uuid|guid|key|sku|asin|no|nr|num|number)\.?$/i.test(column) ||
    /([a-z]I[dD]|编号|序号|单号|号码|\p{Script=Han}ID)$/u.test(column)
  );
}

function isNew(value: unknown, seen: Set<string>): boolean {
  const text = typeof value === "string" || typeof value === "number" ? String(value) : "";
  if (text.trim() === "" || seen.has(text)) return false;
  seen.add(text);
  return true;
}

/** Only the model can be wanting in an OpenAI Batch line. */
function batchLines({ namesModels }: Glance): string[] {
  return [
    "# The input's lines are OpenAI Batch lines, which are sent as they are: messages, params and id of",
    "# a job do not count for them, and are left out here.",
    ...(namesModels ? [] : [`${MODEL_LINE}; for lines that name none`]),
  ];
}

function promptLines(columns: readonly string[], fields: Fields): string[] {
  const text = columns.find((column) => TEXT_NAMES.test(column)) ?? longest(columns, fields);
  return [
    "# The columns, with the first record's values:",
    ...columns
      .slice(0, 30)
      .map((column) => `#   ${columnReference(column)}  ${example(fields[column])}`),
    "messages:",
    "  - role: system",
    "    content: You are a professional AI assistant.",
    "  - role: user",
    `    content: ${JSON.stringify(`Summarize in one sentence: ${columnReference(text)}`)}`,
  ];
}

/** The column with the most to say in the first record. */
function longest(columns: readonly string[], fields: Fields): string {
  const length = (column: string): number => JSON.stringify(fields[column] ?? "").length;
  return columns.toSorted((a, b) => length(b) - length(a))[0] ?? "text";
}

function idLines({ columns, likelyIds: [likely], id }: Glance): string[] {
  if (columns.includes("custom_id") || columns.includes("id")) return [];
  if (id !== undefined) {
    return [
      `id: ${JSON.stringify(columnReference(id))}   # names each item; its values must differ`,
    ];
  }
  const why = likely === undefined ? "" : "; here its values do not all differ";
  return [
    `# id: ${JSON.stringify(columnReference(likely ?? "some_column"))}     # names each item; default: its number${why}`,
  ];
}

function example(value: unknown): string {
  const text = JSON.stringify(value ?? "");
  return text.length <= LONGEST_EXAMPLE ? text : `${text.slice(0, LONGEST_EXAMPLE)}…`;
}
