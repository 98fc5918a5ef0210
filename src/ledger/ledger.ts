import { open as openFile } from "node:fs/promises";
import { join } from "node:path";

import { UsageError } from "../errors.ts";
import type { Ending, Outcome } from "../outcome.ts";
import type { CostOf } from "../tokens.ts";
import { AppendLog } from "./append-log.ts";
import { withEffortOf } from "./effort.ts";
import { FILES, replaceFile } from "./files.ts";
import { ItemTable } from "./item-table.ts";
import { formatLine, type LedgerLine, parseLine, tryParseLine } from "./line.ts";
import { type ScanEnd, scanLedger } from "./scan.ts";
import { entryOfLine, entryOfOutcome, type UsageEntry, UsageTally } from "./usage-tally.ts";

/** The hash, in hex, of what an item asks; null where nobody compares requests. */
export type RequestOf = (index: number) => string | null;

/** An outcome whose line is on its way to the disk. */
export interface Written {
  readonly ending: Ending;
  readonly entry: UsageEntry;
  readonly offset: number;
}

/** The only truth about outcomes: `results.jsonl` and `errors.jsonl` of a run directory. */
export class Ledger {
  readonly items: ItemTable;
  readonly usage: UsageTally;
  readonly #directory: string;
  readonly #runId: string;
  readonly #results: AppendLog;
  readonly #requestOf: RequestOf;
  readonly #recording = new Map<number, Promise<void>>();
  #errors: AppendLog;

  private constructor(parts: {
    items: ItemTable;
    usage: UsageTally;
    directory: string;
    runId: string;
    requestOf: RequestOf;
    results: AppendLog;
    errors: AppendLog;
  }) {
    this.items = parts.items;
    this.usage = parts.usage;
    this.#directory = parts.directory;
    this.#runId = parts.runId;
    this.#requestOf = parts.requestOf;
    this.#results = parts.results;
    this.#errors = parts.errors;
  }

  /**
   * Reads what has ended so far, cuts off a torn last line, and drops superseded errors.
   *
   * @param requestOf says what an item asks; each line then has it, too.
   * @throws UsageError when a file holds another run's line, or a broken one before its end.
   */
  static async open(
    directory: string,
    runId: string,
    costOf: CostOf,
    requestOf: RequestOf = () => null,
  ): Promise<Ledger> {
    const items = new ItemTable();
    const usage = new UsageTally(costOf);
    const resultsPath = join(directory, FILES.results);
    const errorsPath = join(directory, FILES.errors);

    const resultsBytes = await readWhole(resultsPath, runId, (index, offset, line) => {
      if (items.state(index) === "completed") return;
      items.set(index, "completed", offset);
      usage.add(entryOfLine("completed", line));
    });
    const errorsBytes = await compactErrors(errorsPath, runId, items);
    await scanLedger(errorsPath, runId, ({ offset, bytes }) => {
      if (offset < errorsBytes) usage.add(entryOfLine("failed", parseLine(bytes)));
    });

    const results = await AppendLog.open(resultsPath, resultsBytes);
    try {
      const errors = await AppendLog.open(errorsPath, errorsBytes);
      return new Ledger({ items, usage, directory, runId, requestOf, results, errors });
    } catch (error) {
      await results.close();
      throw error;
    }
  }

  /**
   * Resolves when the outcome is safely on disk. An item that is being recorded or has completed
   * keeps its first outcome: a later one is dropped.
   */
  record(outcome: Outcome): Promise<void> {
    const { index } = outcome;
    const recording = this.#recording.get(index);
    if (recording !== undefined) return recording;
    const state = this.items.state(index);
    if (state === "completed") return Promise.resolve();
    const recorded = (
      state === "pending" ? this.count([this.write(outcome)]) : this.#supersede(outcome)
    ).finally(() => this.#recording.delete(index));
    this.#recording.set(index, recorded);
    return recorded;
  }

  /**
   * Writes the line of an item that is pending and that nobody else records. While it is on its way
   * nothing is held of the answer; {@link count} waits for it.
   */
  write(outcome: Outcome): Written {
    const { response: _, ...ending } = outcome;
    const { index, kind } = outcome;
    const log = kind === "completed" ? this.#results : this.#errors;
    const offset = log.place(formatLine(this.#runId, outcome, this.#requestOf(index)));
    return { ending, entry: entryOfOutcome(outcome), offset };
  }

  /** Resolves when these are safely on disk; from then on they count. */
  async count(written: readonly Written[]): Promise<void> {
    if (written.some(({ ending }) => ending.kind === "completed")) await this.#results.synced();
    if (written.some(({ ending }) => ending.kind === "failed")) await this.#errors.synced();
    for (const { ending, entry, offset } of written) {
      this.items.set(ending.index, ending.kind, offset);
      this.usage.add(entry);
    }
  }

  /** Drops the errors of items that have completed since, so that each item has one line. */
  async settle(): Promise<void> {
    await this.#errors.close();
    const path = join(this.#directory, FILES.errors);
    const bytes = await compactErrors(path, this.#runId, this.items);
    this.#errors = await AppendLog.open(path, bytes);
  }

  async close(): Promise<void> {
    await Promise.all([this.#results.close(), this.#errors.close()]);
  }

  /** Counts the outcome alone: what the failure before took was counted when that was recorded. */
  async #supersede(outcome: Outcome): Promise<void> {
    const written = this.write(await this.#withEffort(outcome));
    await this.count([{ ...written, entry: entryOfOutcome(outcome) }]);
  }

  /** Adds what the error that the outcome supersedes took. */
  async #withEffort(outcome: Outcome): Promise<Outcome> {
    try {
      const line = await this.#errors.read(this.items.offset(outcome.index));
      return withEffortOf(parseLine(line), outcome);
    } catch {
      // Somebody's hand in the file must not cost an answer that is paid for.
      return outcome;
    }
  }
}

/**
 * Reads a ledger file and returns how many of its bytes are whole lines of this run. Broken lines
 * at its very end are what a crash leaves behind and do not count; one before a whole line is damage.
 * A whole line of another run is somebody's paid answer: it is never cut off.
 */
async function readWhole(
  path: string,
  runId: string,
  onLine: (index: number, offset: number, line: LedgerLine) => void,
): Promise<number> {
  let number = 0;
  let bad: { offset: number; number: number } | undefined;
  const end: ScanEnd = await scanLedger(path, runId, ({ index, offset, bytes }) => {
    number += 1;
    const line = tryParseLine(bytes);
    if (line === null) {
      bad ??= { offset, number };
      return;
    }
    if (index === null || bad !== undefined) {
      throw new UsageError(
        `${path}:${bad?.number ?? number}: this line is damaged or belongs to another run. ` +
          "Nothing was changed. Move the line to another file to let its item be asked again, " +
          "or restore the file from a backup.",
      );
    }
    onLine(index, offset, line);
  });
  return bad?.offset ?? end.wholeBytes;
}

/**
 * Keeps the last error of each item that has not completed. Rewrites the file only where a line
 * has to go, and returns the size it then has.
 */
async function compactErrors(path: string, runId: string, items: ItemTable): Promise<number> {
  let lines = 0;
  const whole = await readWhole(path, runId, (index, offset) => {
    lines += 1;
    items.set(index, "failed", offset);
  });
  if (lines === items.failed) return whole;

  let size = 0;
  const moved: [number, number][] = [];
  await replaceFile(path, async (temporary) => {
    const file = await openFile(temporary, "w");
    try {
      await scanLedger(path, runId, async ({ index, offset, bytes }) => {
        if (offset >= whole || index === null) return;
        if (items.state(index) !== "failed" || items.offset(index) !== offset) return;
        await file.writeFile(Buffer.concat([bytes, Buffer.from("\n")]));
        moved.push([index, size]);
        size += bytes.length + 1;
      });
    } finally {
      await file.close();
    }
  });
  for (const [index, offset] of moved) items.set(index, "failed", offset);
  return size;
}
