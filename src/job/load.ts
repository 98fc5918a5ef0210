import { readFile, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";

import { isMap, isNode, isScalar, LineCounter, parseDocument, type Range } from "yaml";

import { messageOf, UsageError } from "../errors.ts";
import { fieldProblems } from "./field-problem.ts";
import { type JobFile, jobFileSchema } from "./schema.ts";
import { yamlProblem } from "./yaml-problem.ts";

/** A job file that was read and found good; its paths are absolute. */
export interface LoadedJob {
  readonly job: JobFile & { readonly name: string };
  /** How messages name it. */
  readonly where: string;
}

const MISSING = new Set(["ENOENT", "ENOTDIR"]);

/** Whether a path names a job file rather than an input. */
export function isJobFile(path: string): boolean {
  return /\.ya?ml$/i.test(path);
}

/**
 * Reads a job file.
 *
 * @throws UsageError naming file, line and field where it is missing or wrong.
 */
export async function loadJob(path: string): Promise<LoadedJob> {
  let text: string;
  try {
    // A pipe would be waited for, for ever.
    if (!(await stat(path)).isFile())
      throw new UsageError(`${path}: the job file is no regular file.`);
    text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    throw new UsageError(
      MISSING.has(code)
        ? `${path}: there is no such job file. \`nightshift init <input>\` writes one.`
        : `${path}: the job file cannot be read (${code || String(error)}).`,
      { cause: error },
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // Warnings of the library's own would go to stderr past us.
    logLevel: "error",
  });
  const [syntaxError] = document.errors;
  if (syntaxError !== undefined) {
    const { line, col } = lines.linePos(syntaxError.pos[0]);
    throw new UsageError(`${path}:${line}:${col}: ${yamlProblem(syntaxError, text)}`);
  }
  const lineOf = (fieldPath: readonly PropertyKey[]): string => {
    for (let depth = fieldPath.length; depth > 0; depth -= 1) {
      const range = rangeIn(document, fieldPath.slice(0, depth));
      if (range !== null) return `:${lines.linePos(range[0]).line}`;
    }
    return "";
  };
  const job = parseJob(toPlainValue(document, path), (fieldPath) => `${path}${lineOf(fieldPath)}`);
  const directory = dirname(resolve(path));
  return {
    where: path,
    job: {
      ...job,
      name: job.name ?? basename(path).replace(/\.ya?ml$/i, ""),
      input: job.input === "-" ? "-" : resolve(directory, job.input),
      ...(job.out !== undefined && { out: resolve(directory, job.out) }),
    },
  };
}

/** @throws UsageError for aliases that multiply without bound or lead back to themselves. */
function toPlainValue(document: ReturnType<typeof parseDocument>, path: string): unknown {
  try {
    const value: unknown = document.toJS() ?? {};
    JSON.stringify(value);
    return value;
  } catch (error) {
    throw new UsageError(
      `${path}: its anchors and aliases make no job: ${messageOf(error)}. Put a value that begins with * or & in quotes.`,
      {
        cause: error,
      },
    );
  }
}

/** Where a field is in the text: its name, or the entry of a list; null where it is not. */
function rangeIn(document: ReturnType<typeof parseDocument>, path: PropertyKey[]): Range | null {
  const parent: unknown =
    path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const name = path.at(-1);
  const node: unknown = isMap(parent)
    ? parent.items.find(({ key }) => isScalar(key) && key.value === name)?.key
    : document.getIn(path, true);
  return isNode(node) ? (node.range ?? null) : null;
}

/**
 * Checks a job's fields.
 *
 * @param where names the place of a field for the message.
 * @throws UsageError naming every field that is wrong.
 */
export function parseJob(
  value: unknown,
  where: (fieldPath: readonly PropertyKey[]) => string,
): JobFile {
  const parsed = jobFileSchema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap(fieldProblems);
  throw new UsageError(problems.map(({ path, text }) => `${where(path)}: ${text}`).join("\n"));
}
