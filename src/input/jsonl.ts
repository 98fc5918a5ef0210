import { messageOf, UsageError } from "../errors.ts";
import { LONGEST_RECORD_BYTES } from "./limits.ts";

/** One object of a JSONL file. */
export interface JsonLine {
  /** Where it stands, counted from 1. */
  readonly line: number;
  /** The line itself, without its line break. */
  readonly text: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** How one JSON array becomes JSONL. */
export const JSON_ARRAY_HINT =
  "Make a JSON array into lines with `jq -c '.[]' file.json > file.jsonl`.";

const NEWLINE = 10;

/**
 * The objects of a JSONL file, one array per chunk of text. Only the byte `\n` ends a line:
 * U+2028 and U+2029 are data. Blank lines are skipped.
 */
export async function* jsonLines(
  utf8: AsyncIterable<Buffer>,
  path: string,
): AsyncGenerator<readonly JsonLine[], void, undefined> {
  let line = 0;
  let isFirst = true;
  let begun: Buffer[] = [];
  let begunBytes = 0;
  const finish = (end: Buffer): JsonLine | null => {
    line += 1;
    let whole = end;
    if (begunBytes > 0) {
      whole = Buffer.concat([...begun, end]);
      begun = [];
      begunBytes = 0;
    }
    const parsed = parseLine(whole.toString(), line, path, isFirst);
    if (parsed !== null) isFirst = false;
    return parsed;
  };

  for await (const chunk of utf8) {
    const found: JsonLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const parsed = finish(chunk.subarray(start, end));
      if (parsed !== null) found.push(parsed);
      start = end + 1;
    }
    if (start < chunk.length) begun.push(chunk.subarray(start));
    begunBytes += chunk.length - start;
    if (begunBytes > LONGEST_RECORD_BYTES) {
      throw new UsageError(
        `${path}:${line + 1}: the line is longer than 64 MB. A JSONL file holds one object per line; is it JSON of another shape?`,
      );
    }
    if (found.length > 0) yield found;
  }
  const last = finish(Buffer.alloc(0));
  if (last !== null) yield [last];
}

function parseLine(raw: string, line: number, path: string, isFirst: boolean): JsonLine | null {
  const text = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
  if (text.trim() === "") return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (isFirst && text.trimStart().startsWith("[")) throw new UsageError(`${path}: ${ONE_ARRAY}`);
    throw new UsageError(
      `${path}:${line}: not valid JSON: ${messageOf(error)}. Each line must be one JSON object.`,
      { cause: error },
    );
  }
  if (isFirst && isArrayOfObjects(value)) throw new UsageError(`${path}: ${ONE_ARRAY}`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(
      `${path}:${line}: found ${kindOf(value)} where each line must be one JSON object.`,
    );
  }
  // Checked above: an object that is no array.
  return { line, text, value: value as Record<string, unknown> };
}

const ONE_ARRAY = `this is one JSON array, not JSONL (one object per line). ${JSON_ARRAY_HINT}`;

function isArrayOfObjects(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === "object" && value[0] !== null;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}
