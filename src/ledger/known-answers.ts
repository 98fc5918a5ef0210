import { readdirSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";

import { UsageError } from "../errors.ts";
import { isBusy, isSqliteError } from "../system/sqlite.ts";
import { AnswerBatch } from "./answer-batch.ts";
import {
  type AnswerEntry,
  AnswerIndex,
  IndexDamaged,
  type IndexedRun,
  removeIndex,
} from "./answer-index.ts";
import { FILES } from "./files.ts";
import { lineIndex, linePrefix, requestInLine } from "./line.ts";
import { readManifest } from "./manifest.ts";
import { PointReader } from "./point-reader.ts";
import { HEAD_BYTES, scanLedger } from "./scan.ts";

/** A run whose answers may be reused. */
export interface EarlierRun {
  /** Name of its directory. */
  readonly name: string;
  readonly runId: string;
  readonly createdAt: string;
}

/** An answer that an earlier run has. */
export interface KnownAnswer {
  readonly runId: string;
  /** Its line in that run's results.jsonl, valid until the next one is looked for. */
  readonly bytes: Buffer;
}

export interface KnownAnswersOptions {
  /** The directory of the runs. */
  readonly root: string;
  /** Name of the index file: one for each set of runs that share answers. */
  readonly name: string;
  /** All runs whose answers may be reused. */
  readonly runs: readonly EarlierRun[];
  /** Name of the directory that asks: what it has itself is none of an earlier run. Null for none. */
  readonly own: string | null;
}

/** Beside the runs: what is known of them all. */
const INDEX_DIRECTORY = ".nightshift";
/** Answers that are taken in at once. */
const BATCH = 10_000;
const MOST_OPEN_RUNS = 16;

/**
 * The answers that earlier runs have, by what was asked. Where they lie is looked up in an index
 * beside the runs, what they say is read from those runs' ledgers: an answer that no ledger holds
 * any more is not known.
 */
export class KnownAnswers {
  readonly #root: string;
  readonly #index: AnswerIndex;
  readonly #runs: ReadonlyMap<number, IndexedRun>;
  readonly #readers = new Map<number, PointReader>();
  #gone: AnswerEntry[] = [];

  private constructor({ root, own }: KnownAnswersOptions, index: AnswerIndex) {
    this.#root = root;
    this.#index = index;
    this.#runs = new Map(index.runs().flatMap((run) => (run.name === own ? [] : [[run.id, run]])));
  }

  /** Opens the index and brings it up to date; one that is damaged is made anew from the ledgers. */
  static async open(options: KnownAnswersOptions): Promise<KnownAnswers> {
    const path = join(options.root, INDEX_DIRECTORY, `${options.name}.sqlite`);
    await mkdir(dirname(path), { recursive: true });
    const open = async (): Promise<KnownAnswers> => {
      const index = new AnswerIndex(path);
      try {
        await update(index, options);
        return new KnownAnswers(options, index);
      } catch (error) {
        index.close();
        throw error;
      }
    };
    try {
      return await open();
    } catch (error) {
      if (!isOfIndex(error)) throw error;
      if (isBusy(error)) {
        throw new UsageError(
          `${path} is being written by another run of this job: try again in a moment.`,
          { cause: error },
        );
      }
      removeIndex(path);
    }
    try {
      return await open();
    } catch (error) {
      if (!isOfIndex(error)) throw error;
      throw new UsageError(
        `${path}, the index of what earlier runs have answered, cannot be written: ${error.message}. ` +
          "Mend that, or leave --incremental out.",
        { cause: error },
      );
    }
  }

  /** Whether there seems to be an answer; only {@link find} looks whether it is still there. */
  has(request: Buffer): boolean {
    const place = this.#index.find(request);
    return place !== null && this.#runs.has(place.run);
  }

  find(request: Buffer): KnownAnswer | null {
    const place = this.#index.find(request);
    const run = place === null ? undefined : this.#runs.get(place.run);
    if (place === null || run === undefined) return null;
    const bytes = this.#read(run, place.offset);
    if (bytes !== null && requestInLine(bytes) === request.toString("hex")) {
      return { runId: run.run_id, bytes };
    }
    this.#gone.push({ request, ...place });
    return null;
  }

  close(): void {
    for (const reader of this.#readers.values()) reader.close();
    this.#readers.clear();
    try {
      if (this.#gone.length > 0) this.#index.dropAnswers(this.#gone);
    } catch {
      // They will be looked for in vain once more.
    }
    this.#gone = [];
    this.#index.close();
  }

  /** A line of that run; null where there is none at that place. */
  #read(run: IndexedRun, offset: number): Buffer | null {
    try {
      const bytes = this.#readerOf(run).read(offset);
      const head = bytes?.toString("latin1", 0, HEAD_BYTES) ?? "";
      return lineIndex(head, linePrefix(run.run_id)) === null ? null : bytes;
    } catch {
      // Somebody may be cleaning up.
      return null;
    }
  }

  #readerOf({ id, name }: IndexedRun): PointReader {
    let reader = this.#readers.get(id);
    if (reader === undefined) {
      const [oldest] = this.#readers.size >= MOST_OPEN_RUNS ? this.#readers : [];
      if (oldest !== undefined) {
        oldest[1].close();
        this.#readers.delete(oldest[0]);
      }
      reader = new PointReader(join(this.#root, name, FILES.results));
      this.#readers.set(id, reader);
    }
    return reader;
  }
}

/** Drops from every index below a directory of runs the runs that are no longer there. */
export async function forgetRemovedRuns(root: string): Promise<void> {
  const directory = join(root, INDEX_DIRECTORY);
  for (const file of namesIn(directory).filter((name) => name.endsWith(".sqlite"))) {
    const path = join(directory, file);
    try {
      const index = new AnswerIndex(path);
      try {
        const runs = index.runs();
        const gone: IndexedRun[] = [];
        for (const run of runs) {
          const manifest = await readManifest(join(root, run.name)).catch(() => null);
          if (manifest?.run_id !== run.run_id) gone.push(run);
        }
        if (gone.length > 0) index.dropRuns(gone);
        if (gone.length < runs.length) continue;
      } finally {
        index.close();
      }
    } catch (error) {
      if (!isOfIndex(error) || isBusy(error)) throw error;
    }
    removeIndex(path);
  }
}

/** Takes in what the ledgers have and the index has not, and drops what they have no longer. */
async function update(index: AnswerIndex, { root, runs, own }: KnownAnswersOptions): Promise<void> {
  const found = new Map(runs.map((run) => [run.name, run]));
  const gone = index.runs().filter(({ name, run_id: id, bytes }) => {
    return name !== own && (found.get(name)?.runId !== id || sizeOf(root, name) < bytes);
  });
  if (gone.length > 0) index.dropRuns(gone);
  const known = new Set(index.runs().map(({ name }) => name));
  for (const { name, runId, createdAt } of runs) {
    if (!known.has(name)) index.addRun({ name, run_id: runId, created_at: createdAt });
  }
  for (const run of index.runs()) {
    if (run.name !== own && sizeOf(root, run.name) > run.bytes) await takeIn(index, root, run);
  }
}

async function takeIn(index: AnswerIndex, root: string, run: IndexedRun): Promise<void> {
  const batch = new AnswerBatch(BATCH);
  const path = join(root, run.name, FILES.results);
  const end = await scanLedger(
    path,
    run.run_id,
    ({ index: item, offset, bytes }) => {
      const request = item === null ? null : requestInLine(bytes);
      if (request === null) return;
      batch.add(request, offset);
      if (!batch.isFull) return;
      index.addAnswers(run.id, batch, offset + bytes.length + 1);
      batch.clear();
    },
    run.bytes,
  );
  index.addAnswers(run.id, batch, end.wholeBytes);
}

function isOfIndex(error: unknown): error is Error {
  return error instanceof IndexDamaged || isSqliteError(error);
}

function sizeOf(root: string, name: string): number {
  return statSync(join(root, name, FILES.results), { throwIfNoEntry: false })?.size ?? 0;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
