import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { UsageError } from "../../errors.ts";
import { ensureDirectory, replaceFile } from "../../ledger/files.ts";
import { lockDirectory } from "../../ledger/lock.ts";
import { compacted, parseEntry, type TickEntry } from "../../schedule/record.ts";
import type { Clock } from "../../system/clock.ts";

/** Beside the runs, so that all schedulers of these runs meet there. */
const BOOKS_DIRECTORY = ".schedule";
const FILE = "ticks.jsonl";
const MOST_BYTES = 512 * 1024;
const KEPT_LINES = 1_000;
const LOCK_PAUSE_MS = 20;
const LOCK_PATIENCE_MS = 30_000;

/** Where schedulers note things beside the runs. */
export function booksDirectory(runs: string): string {
  return join(runs, BOOKS_DIRECTORY);
}

interface Cached {
  readonly version: string;
  readonly entries: readonly TickEntry[];
  /** A crash has left half a line at the end. */
  readonly isTorn: boolean;
}

/**
 * What became of a job's ticks, on disk: append-only, and synced before anything is done by it.
 * Who writes holds the lock, so that of all schedulers one at a time decides.
 */
export class TickBook {
  readonly #directory: string;
  readonly #clock: Clock;
  #cached: Cached | null = null;

  constructor(runs: string, jobName: string, clock: Clock) {
    this.#directory = join(booksDirectory(runs), jobName);
    this.#clock = clock;
  }

  async read(): Promise<readonly TickEntry[]> {
    const version = await this.#version();
    if (this.#cached?.version !== version) {
      const text = version === "" ? "" : await readFile(this.#path, "utf8");
      const entries = text.split("\n").flatMap((line) => parseEntry(line) ?? []);
      this.#cached = { version, entries, isTorn: text !== "" && !text.endsWith("\n") };
    }
    return this.#cached.entries;
  }

  /** Adds what `act` makes of the lines so far. Nobody else writes meanwhile. */
  async update(
    act: (entries: readonly TickEntry[]) => Promise<readonly TickEntry[]>,
    signal?: AbortSignal,
  ): Promise<void> {
    await ensureDirectory(this.#directory);
    const release = await this.#lock(signal);
    try {
      const before = await this.read();
      const added = await act(before);
      if (added.length > 0) await this.#append(before, added);
    } finally {
      await release();
    }
  }

  async note(...entries: TickEntry[]): Promise<void> {
    await this.update(() => Promise.resolve(entries));
  }

  get #path(): string {
    return join(this.#directory, FILE);
  }

  async #version(): Promise<string> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path);
      return `${mtimeMs} ${size} ${ino}`;
    } catch {
      return "";
    }
  }

  async #lock(signal: AbortSignal | undefined): Promise<() => Promise<void>> {
    const deadline = this.#clock.monotonic() + LOCK_PATIENCE_MS;
    for (;;) {
      try {
        const lock = await lockDirectory(this.#directory, this.#clock);
        return () => lock.release();
      } catch (error) {
        // Somebody decides just now, which takes milliseconds.
        if (!(error instanceof UsageError) || this.#clock.monotonic() > deadline) throw error;
        await this.#clock.sleep(LOCK_PAUSE_MS, signal);
      }
    }
  }

  async #append(before: readonly TickEntry[], added: readonly TickEntry[]): Promise<void> {
    const size = await stat(this.#path).then(
      (stats) => stats.size,
      () => 0,
    );
    if (size > MOST_BYTES) {
      const kept = compacted([...before, ...added], KEPT_LINES);
      await replaceFile(this.#path, async (temporary) => {
        const file = await open(temporary, "w");
        try {
          await file.writeFile(linesOf(kept));
        } finally {
          await file.close();
        }
      });
      return;
    }
    const file = await open(this.#path, "a");
    try {
      await file.appendFile(`${this.#cached?.isTorn === true ? "\n" : ""}${linesOf(added)}`);
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}

function linesOf(entries: readonly TickEntry[]): string {
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
}
