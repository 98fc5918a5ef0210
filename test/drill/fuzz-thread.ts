// Runs inside a worker thread: one property over many random files.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isMainThread, parentPort, workerData } from "node:worker_threads";

import * as fc from "fast-check";

import { messageOf, UsageError } from "../../src/errors.ts";
import type { ResolvedJob } from "../../src/job/resolved-job.ts";
import { readItems, type RecordItem } from "../../src/run/read-items.ts";
import { scanInput } from "../../src/run/scan-input.ts";
import { aJob } from "../unit/run/jobs.ts";
import { aBrokenFile, anyBytes, aTable, type FuzzFile } from "./support/fuzz-files.ts";

export interface FuzzOrder {
  readonly name: "tables" | "mutations" | "bytes";
  readonly cases: number;
  readonly seed: number;
  /** Where the files are written. */
  readonly directory: string;
}

export interface FuzzReport {
  /** The smallest case that was not as it should be; null when there was none. */
  readonly failure: string | null;
  readonly accepted: number;
  readonly refused: number;
}

const FILES = { tables: aTable, mutations: aBrokenFile, bytes: anyBytes } as const;
/** What concerns a file as a whole has no line to name. */
const WITHOUT_LINE =
  /: (this is one JSON array|is a spreadsheet|the file is empty|there is a header but no record|not valid utf-16|the gzip data breaks off|is no gzip file)/;

if (!isMainThread) await fuzzAll(workerData as FuzzOrder);

async function fuzzAll({ name, cases, seed, directory }: FuzzOrder): Promise<void> {
  let accepted = 0;
  let refused = 0;
  parentPort?.postMessage("ready");
  const details = await fc.check(
    fc.asyncProperty(FILES[name], async (file) => {
      if (await readsAsItShould(file, directory)) accepted += 1;
      else refused += 1;
      parentPort?.postMessage("case");
    }),
    { numRuns: cases, seed },
  );
  const failure = details.failed ? (fc.defaultReportMessage(details) ?? "failed") : null;
  parentPort?.postMessage({ failure, accepted, refused } satisfies FuzzReport);
}

/** @returns whether the file was accepted. Throws where it was not treated as it should be. */
async function readsAsItShould(file: FuzzFile, directory: string): Promise<boolean> {
  const path = join(directory, `case.${file.extension}`);
  await writeFile(path, file.bytes);
  const job = aJob({ ...file.job, input: path });
  const read = await attempt(() => readAll(job));
  const scan = await attempt(() => scanInput(job, new AbortController().signal));

  if (scan instanceof UsageError) {
    checkRefusal(scan, path, file);
    return false;
  }
  if (read instanceof UsageError) throw new Error(`scanned, but not read: ${read.message}`);
  if (scan.items !== read.length || scan.records !== read.length) {
    throw new Error(`${scan.items} items were scanned and ${read.length} were read`);
  }
  const ids = new Set(read.map(({ item }) => item.customId));
  if (ids.size !== read.length) throw new Error("two items have the same id");
  for (const [at, { record, item }] of read.entries()) {
    if (item.index !== at || record.index !== at) throw new Error(`item ${at} is ${item.index}`);
  }
  if (file.expected !== null) checkPairing(read, file.expected);
  return true;
}

function checkRefusal({ message }: UsageError, path: string, { expected }: FuzzFile): void {
  if (expected !== null) throw new Error(`a sound file was refused: ${message}`);
  const named = message.startsWith(path) || message.startsWith("job.yaml: ");
  const hasLine = /^[^:]+:\d+: /.test(message) || WITHOUT_LINE.test(message);
  if (named && (hasLine || message.startsWith("job.yaml: "))) return;
  throw new Error(`the refusal names no place: ${message}`);
}

function checkPairing(
  read: readonly RecordItem[],
  expected: NonNullable<FuzzFile["expected"]>,
): void {
  const found = read.map(({ item }) => ({ id: item.customId, prompt: promptOf(item.body) }));
  const wanted = expected.map(({ id, prompt }) => ({ id, prompt }));
  if (JSON.stringify(found) === JSON.stringify(wanted)) return;
  throw new Error(`found ${JSON.stringify(found)} where ${JSON.stringify(wanted)} was written`);
}

function promptOf(body: string): unknown {
  const { messages } = JSON.parse(body) as { messages: { content: unknown }[] };
  return messages[0]?.content;
}

async function readAll(job: ResolvedJob): Promise<RecordItem[]> {
  const source = await readItems(job);
  const items: RecordItem[] = [];
  for await (const batch of source.batches()) items.push(...batch);
  return items;
}

async function attempt<T>(act: () => Promise<T>): Promise<T | UsageError> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw new Error(`${String(error)} instead of a UsageError: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
