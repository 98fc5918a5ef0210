import { type InputOptions, openInput } from "../input/records.ts";
import { columnReference } from "../job/column.ts";
import { nameOfInput } from "../job/resolve.ts";

const LONGEST_EXAMPLE = 60;
const TEXT_NAMES =
  /^(text|content|prompt|question|body|message|review|comment|description|input|文本|内容|评论|问题)$/i;

/**
 * The text of a job file for an input: its columns are named, its prompt is ready to be edited.
 *
 * @param path of the input, to read its first record.
 * @param reference how the job file will name the input.
 */
export async function draftJob(
  path: string,
  reference: string,
  options: Pick<InputOptions, "encoding" | "delimiter">,
): Promise<string> {
  const input = await openInput(path, options);
  let fields: Readonly<Record<string, unknown>> = {};
  for await (const [first] of input.batches()) {
    fields = first?.fields ?? {};
    break;
  }
  const columns = [...new Set(input.columns ?? Object.keys(fields))].filter((name) => name !== "");
  const { messages, body } = fields;
  const isRequest = Array.isArray(messages) || (typeof body === "object" && body !== null);
  return [
    "# yaml-language-server: $schema=./node_modules/nightshift/dist/job.schema.json",
    `# Try it:  npx nightshift run <this file> --dry-run    then  --first 5`,
    `name: ${JSON.stringify(nameOfInput(path))}`,
    `input: ${JSON.stringify(reference)}`,
    ...Object.entries(options).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
    "model: gpt-4o-mini            # `npx nightshift models` lists what your gateway offers",
    ...(isRequest
      ? ["# The input's lines are requests already: no prompt is needed here."]
      : promptLines(columns, fields)),
    "params:",
    "  temperature: 0",
    "  max_tokens: 200             # bounds what an answer can cost",
    ...idLines(columns),
    "# limits: { concurrency: 64, rpm: 3000, tpm: 200000 }   # what your account allows, if you know it",
    "# timeout: 60s",
    "# retry: { attempts: 6 }",
    "# out: runs/{{ name }}-{{ date }}",
    "",
  ].join("\n");
}

function promptLines(
  columns: readonly string[],
  fields: Readonly<Record<string, unknown>>,
): string[] {
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
function longest(columns: readonly string[], fields: Readonly<Record<string, unknown>>): string {
  const length = (column: string): number => JSON.stringify(fields[column] ?? "").length;
  return columns.toSorted((a, b) => length(b) - length(a))[0] ?? "text";
}

function idLines(columns: readonly string[]): string[] {
  if (columns.includes("custom_id") || columns.includes("id")) return [];
  const likely = columns.find((column) => /(^|_)(id|key|sku|no|number)$/i.test(column));
  return likely === undefined
    ? ['# id: "{{ some_column }}"     # names each item; default: its number']
    : [
        `id: ${JSON.stringify(columnReference(likely))}   # names each item; its values must differ`,
      ];
}

function example(value: unknown): string {
  const text = JSON.stringify(value ?? "");
  return text.length <= LONGEST_EXAMPLE ? text : `${text.slice(0, LONGEST_EXAMPLE)}…`;
}
