import { readFile, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";

import { LineCounter, parseDocument } from "yaml";
import * as z from "zod";

import { messageOf, UsageError } from "../errors.ts";
import { type JobFile, jobFileSchema } from "./schema.ts";

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
  const document = parseDocument(text, { lineCounter: lines });
  const [syntaxError] = document.errors;
  if (syntaxError !== undefined) {
    const { line, col } = lines.linePos(syntaxError.pos[0]);
    throw new UsageError(`${path}:${line}:${col}: ${syntaxError.message.split("\n")[0]}`);
  }
  const lineOf = (fieldPath: readonly PropertyKey[]): string => {
    for (let depth = fieldPath.length; depth > 0; depth -= 1) {
      const node = document.getIn(fieldPath.slice(0, depth), true) as
        | { range?: [number, number, number] }
        | undefined;
      if (node?.range !== undefined) return `:${lines.linePos(node.range[0]).line}`;
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
      input: resolve(directory, job.input),
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
    throw new UsageError(`${path}: its anchors and aliases make no job: ${messageOf(error)}`, {
      cause: error,
    });
  }
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
  const parsed = jobFileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const field = issue.path.length > 0 ? `\`${z.core.toDotPath(issue.path)}\` ` : "";
    // An unknown field is reported of the object that holds it; its own line says more.
    const unknown = issue.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [];
    return `${where([...issue.path, ...unknown])}: ${field}${describe(issue)}`;
  });
  throw new UsageError(problems.join("\n"));
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(jobFileSchema.shape).join(", ");
    const at = issue.path.length === 0 ? ` (known: ${known})` : "";
    return `has no field ${issue.keys.map((key) => `\`${key}\``).join(", ")}${at}`;
  }
  return issue.message.replace(/^Invalid input: /, "").replace(/^Invalid /, "is no valid ");
}
