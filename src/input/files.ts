// Not by name: Node 20 has no `glob`, and must get far enough to be told that it is too old.
import * as fs from "node:fs/promises";

import { UsageError } from "../errors.ts";
import { formatOf } from "./format.ts";
import { type InputOptions, type InputRecord, type OpenedInput, openInput } from "./records.ts";

/**
 * The files that a path stands for, in the order of their names: itself, or what its `*`, `?`, `[…]`
 * or `{…}` match.
 *
 * @throws UsageError where none matches.
 */
export async function matchingFiles(path: string): Promise<string[]> {
  if (!/[*?[{]/.test(path) || (await isFile(path))) return [path];
  const found: string[] = [];
  for await (const name of fs.glob(path)) if (await isFile(name)) found.push(name);
  if (found.length === 0) throw new UsageError(`${path}: no file matches. Check the path.`);
  return found.sort();
}

/**
 * Opens files as one input: their records follow each other in the order given.
 *
 * @throws UsageError as {@link openInput} does; `batches` too where a file is not like the first.
 */
export async function openInputs(
  paths: readonly string[],
  options: InputOptions = {},
): Promise<OpenedInput> {
  const [path = "", ...others] = paths;
  const first = await openInput(path, options);
  if (others.length === 0) return first;
  return {
    ...first,
    async *batches() {
      let count = 0;
      for await (const records of first.batches()) {
        count += records.length;
        yield records;
      }
      for (const other of others) {
        const input = await openLike(first, path, other, options);
        const before = count;
        for await (const records of input.batches()) {
          count += records.length;
          yield records.map((record): InputRecord => {
            return { ...record, index: before + record.index };
          });
        }
      }
    },
  };
}

async function openLike(
  first: OpenedInput,
  firstPath: string,
  path: string,
  options: InputOptions,
): Promise<OpenedInput> {
  if (formatOf(path).kind !== first.format) {
    throw new UsageError(
      `${path}: is not of the same kind as ${firstPath}: one input is of one kind. Choose them by a narrower pattern.`,
    );
  }
  const input = await openInput(path, options);
  if (JSON.stringify(input.columns) === JSON.stringify(first.columns)) return input;
  await input.close();
  throw new UsageError(
    `${path}:1: its header differs from that of ${firstPath}: ${list(input.columns)} instead of ${list(first.columns)}. ` +
      "Files of one input have the same columns in the same order.",
  );
}

function list(columns: readonly string[] | null): string {
  return (columns ?? []).join(", ");
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await fs.stat(path)).isFile();
  } catch {
    return false;
  }
}
