import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type InputOptions, type InputRecord, openInput } from "../../../src/input/records.ts";

/** A directory for the files of one test. */
export async function inputDirectory(): Promise<
  AsyncDisposable & { path: (name: string) => string }
> {
  const directory = await mkdtemp(join(tmpdir(), "nightshift-input-"));
  return {
    path: (name) => join(directory, name),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Every record of a file with this content, with its columns. */
export async function readInput(
  name: string,
  content: string | Uint8Array,
  options: InputOptions = {},
): Promise<{ columns: readonly string[] | null; records: InputRecord[] }> {
  await using directory = await inputDirectory();
  const path = directory.path(name);
  await writeFile(path, content);
  const input = await openInput(path, options);
  const records: InputRecord[] = [];
  for await (const batch of input.batches()) records.push(...batch);
  return { columns: input.columns, records };
}

/** The error text of reading it, with the directory taken out. */
export async function inputError(
  name: string,
  content: string | Uint8Array,
  options: InputOptions = {},
): Promise<string> {
  try {
    await readInput(name, content, options);
  } catch (error) {
    const { name: kind, message } = error as Error;
    return `${kind} ${message.replace(/\S*nightshift-input-\w+\//, "")}`;
  }
  return "no error";
}

/** The bytes in pieces of `size`. */
export async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) {
    yield bytes.subarray(start, start + size);
  }
}

/** Everything that an iteration of arrays yields. */
export async function flatten<T>(batches: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
}
