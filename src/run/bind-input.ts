import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { copyFile, mkdir, open, rename, rm } from "node:fs/promises";
import { extname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { messageOf, UsageError } from "../errors.ts";
import { matchingFiles } from "../input/files.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import { RUNS_DIRECTORY, runsMeant } from "./directory.ts";
import { dateAndTime, fillPlaceholders } from "./placeholders.ts";

/** The input that stands for standard input. */
const STANDARD_INPUT = "-";
/** How a copy of standard input is named beside the runs, until its run has a directory. */
export const SPOOL_PREFIX = ".stdin-";

/** A job whose input is files that can be read again. */
export interface BoundJob {
  readonly job: ResolvedJob;
  /** The copy of standard input that is to be kept with the run, or removed; null for other inputs. */
  readonly spool: string | null;
}

export interface BindOptions {
  /** Wall-clock milliseconds, for `{{ date }}` and `{{ time }}`. */
  readonly now: number;
  readonly workingDirectory: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly signal: AbortSignal;
}

/**
 * Finds the files that a job's input names now.
 *
 * @throws UsageError where there are none.
 */
export async function bindInput(job: ResolvedJob, options: BindOptions): Promise<BoundJob> {
  if (job.input === STANDARD_INPUT) return bindStandardInput(job, options);
  const { now } = options;
  const input = job.input.includes("{{")
    ? fillPlaceholders(job.input, `${job.where}: input`, {
        name: job.name,
        ...dateAndTime(now, job.timeZone),
      })
    : job.input;
  return { job: { ...job, input, inputs: await matchingFiles(input) }, spool: null };
}

/** Puts the copy of standard input into the run's directory, where it can be read again. */
export async function keepSpool(spool: string, directory: string): Promise<string> {
  const kept = join(directory, `input${extname(spool)}`);
  try {
    await rename(spool, kept);
  } catch {
    // On another disk.
    await copyFile(spool, kept);
    await rm(spool, { force: true });
  }
  return kept;
}

async function bindStandardInput(
  job: ResolvedJob,
  { now, workingDirectory, stdin, signal }: BindOptions,
): Promise<BoundJob> {
  const runs = join(workingDirectory, RUNS_DIRECTORY);
  const spool = stdin.isTTY === true ? null : await spoolOf(stdin, runs, signal);
  if (spool !== null) return { job: { ...job, inputs: [spool] }, spool };
  // The same command again, with nothing to read: it means the run that has its copy.
  const meant = (await runsMeant(job, now, workingDirectory)).find(
    ({ manifest }) => manifest.input.path === STANDARD_INPUT,
  );
  // Written by us from a ResolvedJob.
  const inputs = meant?.manifest.job["inputs"] as ResolvedJob["inputs"] | undefined;
  if (inputs === undefined) {
    throw new UsageError(
      "the input is `-`, and there is nothing on standard input: pipe a CSV or JSONL into the command.",
    );
  }
  return { job: { ...job, inputs }, spool: null };
}

/** Copies what comes to a file named for what it is; null where nothing comes. */
async function spoolOf(stdin: Readable, runs: string, signal: AbortSignal): Promise<string | null> {
  await mkdir(runs, { recursive: true });
  const draft = join(runs, `${SPOOL_PREFIX}${randomUUID()}`);
  try {
    await pipeline(stdin, createWriteStream(draft), { signal });
    const beginning = await beginningOf(draft);
    if (beginning.length === 0) {
      await rm(draft, { force: true });
      return null;
    }
    const spool = `${draft}${extensionFor(beginning)}`;
    await rename(draft, spool);
    return spool;
  } catch (error) {
    await rm(draft, { force: true });
    signal.throwIfAborted();
    throw new UsageError(`standard input cannot be kept in ${runs}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function beginningOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(1_024));
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** What begins with a brace or a bracket is JSONL, all else a table. */
function extensionFor(beginning: Buffer): string {
  return /^\uFEFF?\s*[{[]/.test(beginning.toString("utf8")) ? ".jsonl" : ".csv";
}
