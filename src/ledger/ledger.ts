import { open as openFile } from "node:fs/promises";
import { join } from "node:path";

import { UsageError } from "../errors.ts";
import type { Outcome } from "../outcome.ts";
import type { CostOf } from "../tokens.ts";
import { AppendLog } from "./append-log.ts";
import { FILES, replaceFile } from "./files.ts";
import { ItemTable } from "./item-table.ts";
import { formatLine, type LedgerLine } from "./line.ts";
import { type ScanEnd, type ScannedLine, scanLedger } from "./scan.ts";
import { entryOfLine, entryOfOutcome, UsageTally } from "./usage.ts";

/** The only truth about outcomes: `results.jsonl` and `errors.jsonl` of a run directory. */
export class Ledger {
  readonly items: ItemTable;
  readonly usage: UsageTally;
  readonly #directory: string;
  readonly #runId: string;
  readonly #results: AppendLog;
  readonly #recording = new Map<number, Promise<void>>();
  #errors: AppendLog;

  private constructor(parts: {
    items: ItemTable;
    usage: UsageTally;
    directory: string;
    runId: string;
    results: AppendLog;
    errors: AppendLog;
  }) {
    this.items = parts.items;
    this.usage = parts.usage;
    this.#directory = parts.directory;
    this.#runId = parts.runId;
    this.#results = parts.results;
    this.#errors = parts.errors;
  }

  /**
   * Reads what has ended so far, cuts off a torn last line, and drops superseded errors.
   *
   * @throws UsageError when a file holds another run's line, or a broken one before its end.
   */
  static async open(directory: string, runId: string, costOf: CostOf): Promise<Ledger> {
    const items = new ItemTable();
    const usage = new UsageTally(costOf);
    const resultsPath = join(directory, FILES.results);
    const errorsPath = join(directory, FILES.errors);

    const resultsEnd = await readWhole(resultsPath, runId, (index, line) => {
      if (items.state(index) === "completed") return;
      items.set(index, "completed", line.offset);
      usage.add(entryOfLine("completed", parseLine(line.bytes)));
    });
    const errorsBytes = await compactErrors(errorsPath, runId, items, (line) =>
      usage.add(entryOfLine("failed", parseLine(line.bytes))),
    );

    const results = await AppendLog.open(resultsPath, resultsEnd);
    try {
      const errors = await AppendLog.open(errorsPath, errorsBytes);
      return new Ledger({ items, usage, directory, runId, results, errors });
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
    const recording = this.#recording.get(outcome.index);
    if (recording !== undefined) return recording;
    if (this.items.state(outcome.index) === "completed") return Promise.resolve();
    const recorded = this.#append(outcome).finally(() => this.#recording.delete(outcome.index));
    this.#recording.set(outcome.index, recorded);
    return recorded;
  }

  /** Drops the errors of items that have completed since, so that each item has one line. */
  async settle(): Promise<void> {
    await this.#errors.close();
    const path = join(this.#directory, FILES.errors);
    this.usage.forgetFailures();
    const bytes = await compactErrors(path, this.#runId, this.items, (line) =>
      this.usage.add(entryOfLine("failed", parseLine(line.bytes))),
    );
    this.#errors = await AppendLog.open(path, bytes);
  }

  async close(): Promise<void> {
    await Promise.all([this.#results.close(), this.#errors.close()]);
  }

  async #append(outcome: Outcome): Promise<void> {
    const log = outcome.kind === "completed" ? this.#results : this.#errors;
    const offset = await log.append(formatLine(this.#runId, outcome));
    this.items.set(outcome.index, outcome.kind, offset);
    this.usage.add(entryOfOutcome(outcome));
  }
}

/** The line's JSON. Only for lines that the scan found to be this run's. */
export function parseLine(bytes: Buffer): LedgerLine {
  return JSON.parse(bytes.toString("utf8")) as LedgerLine;
}

/**
 * Reads a ledger file and returns how many of its bytes are whole lines of this run. Broken lines
 * at its very end are what a crash leaves behind and do not count; one before a whole line is damage.
 * A whole line of another run is somebody's paid answer: it is never cut off.
 */
async function readWhole(
  path: string,
  runId: string,
  onLine: (index: number, line: ScannedLine) => void | Promise<void>,
): Promise<number> {
  let number = 0;
  let bad: { offset: number; number: number } | undefined;
  const end: ScanEnd = await scanLedger(path, runId, (line) => {
    number += 1;
    if (!isJson(line.bytes)) {
      bad ??= { offset: line.offset, number };
      return undefined;
    }
    if (line.index === null || bad !== undefined) {
      throw new UsageError(
        `${path}:${bad?.number ?? number}: this line is damaged or belongs to another run. ` +
          "Nothing was changed. Move the line to another file to let its item be asked again, " +
          "or restore the file from a backup.",
      );
    }
    return onLine(line.index, line);
  });
  return bad?.offset ?? end.wholeBytes;
}

/**
 * Keeps the last error of each item that has not completed. Rewrites the file only where a line
 * has to go, and returns the size it then has.
 */
async function compactErrors(
  path: string,
  runId: string,
  items: ItemTable,
  onKept: (line: ScannedLine) => void,
): Promise<number> {
  let lines = 0;
  const whole = await readWhole(path, runId, (index, line) => {
    lines += 1;
    items.set(index, "failed", line.offset);
  });
  const isKept = (line: ScannedLine): boolean =>
    line.index !== null &&
    items.state(line.index) === "failed" &&
    items.offset(line.index) === line.offset;

  if (lines === items.failed) {
    await scanLedger(path, runId, (line) => {
      if (line.offset < whole) onKept(line);
    });
    return whole;
  }
  let size = 0;
  const moved: [number, number][] = [];
  await replaceFile(path, async (temporary) => {
    const file = await openFile(temporary, "w");
    try {
      await scanLedger(path, runId, async (line) => {
        if (line.offset >= whole || line.index === null || !isKept(line)) return;
        onKept(line);
        await file.writeFile(Buffer.concat([line.bytes, Buffer.from("\n")]));
        moved.push([line.index, size]);
        size += line.bytes.length + 1;
      });
    } finally {
      await file.close();
    }
  });
  for (const [index, offset] of moved) items.set(index, "failed", offset);
  return size;
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString("utf8"));
    return true;
  } catch {
    return false;
  }
}
