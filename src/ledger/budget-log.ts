import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

import { diskStop, FILES, isMissing } from "./files.ts";
import type { ItemTable } from "./item-table.ts";
import { type CallLine, type CallTokens, type Sum, Unrecorded } from "./unrecorded.ts";

/** Where items stand by the ledger of outcomes. */
type Items = Pick<ItemTable, "state">;

/** Further lines after which the file is written anew: it stays below a few megabytes. */
const MOST_LINES = 20_000;

/**
 * `budget.jsonl`: written only while a run has a budget. Each call stands in it before it is sent,
 * with what it may cost at most, so that a process that dies leaves word of what was in flight. It
 * is not synced: what a process has written survives it.
 */
export class BudgetLog {
  readonly calls: Unrecorded;
  readonly #path: string;
  readonly #run: string;
  readonly #items: Items;
  #file: number | null = null;
  #lines = 0;
  #unwritten = "";

  private constructor(calls: Unrecorded, path: string, run: string, items: Items) {
    this.calls = calls;
    this.#path = path;
    this.#run = run;
    this.#items = items;
  }

  /**
   * Opens the file of a run whose owner this process is.
   *
   * @param first what earlier calls cost, for a run that had no budget so far.
   * @throws RunStopped when it cannot be written.
   */
  static open(directory: string, run: string, items: Items, first: () => CallLine): BudgetLog {
    const found = readUnrecorded(directory, run, items);
    const calls = found ?? new Unrecorded();
    if (found === null) calls.apply(first());
    const log = new BudgetLog(calls, join(directory, FILES.budget), run, items);
    log.#rewrite();
    return log;
  }

  /**
   * A call is about to be sent.
   *
   * @throws RunStopped when that cannot be written: then it must not be sent.
   */
  sent(index: number, model: string, tokens: CallTokens): void {
    this.#keepShort();
    this.#note({ index, model, sent: tokens });
    this.#write();
  }

  /**
   * What came of a call. It is written with the next call that is sent: without it the file says
   * too much, never too little. Only of an answer without usage the file alone will tell, when
   * results.jsonl says that there was one.
   *
   * @returns as {@link Unrecorded.apply}.
   */
  settled(line: CallLine): number {
    const released = this.#note(line);
    if ("kept" in line && line.answered === true) {
      try {
        this.#write();
      } catch {
        // The next call is not sent.
      }
    }
    return released;
  }

  /**
   * Calls were made elsewhere, and results.jsonl is about to tell of their answer.
   *
   * @throws RunStopped when that cannot be written: then their answer must not be recorded.
   */
  madeElsewhere(requests: number, spent: Readonly<Record<string, Sum>>): void {
    this.#keepShort();
    this.#note({ run: this.#run, requests, spent });
    this.#write();
  }

  /** Nothing is in flight any more. */
  close(): void {
    this.calls.fold(this.#items);
    try {
      this.#rewrite();
    } catch {
      // The longer file says the same.
    }
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #keepShort(): void {
    if (this.#lines < MOST_LINES) return;
    this.calls.fold(this.#items);
    this.#rewrite();
  }

  #note(line: CallLine): number {
    this.#unwritten += `${JSON.stringify(line)}\n`;
    this.#lines += 1;
    return this.calls.apply(line);
  }

  #write(): void {
    // After a line that was cut short, the next one would not be read.
    if (this.#file === null) throw diskStop(this.#path, new Error("an earlier line was cut short"));
    const text = this.#unwritten;
    this.#unwritten = "";
    try {
      if (writeSync(this.#file, text) < Buffer.byteLength(text)) throw new Error("cut short");
    } catch (error) {
      closeSync(this.#file);
      this.#file = null;
      throw diskStop(this.#path, error);
    }
  }

  #rewrite(): void {
    const lines = this.calls.lines(this.#run);
    const temporary = `${this.#path}.tmp`;
    try {
      writeFileSync(temporary, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
      const file = openSync(temporary, "a");
      fsyncSync(file);
      renameSync(temporary, this.#path);
      if (this.#file !== null) closeSync(this.#file);
      this.#file = file;
      this.#lines = 0;
      this.#unwritten = "";
    } catch (error) {
      throw diskStop(this.#path, error);
    }
  }
}

/** What a run's `budget.jsonl` says beside its outcomes; null where there is none. */
export function readUnrecorded(directory: string, run: string, items: Items): Unrecorded | null {
  let text: string;
  try {
    text = readFileSync(join(directory, FILES.budget), "utf8");
  } catch (error) {
    // A file that cannot be read is no missing one: it may hold calls that are in doubt.
    if (!isMissing(error)) throw diskStop(join(directory, FILES.budget), error);
    return null;
  }
  const calls = new Unrecorded();
  for (const [at, written] of text.split("\n").entries()) {
    const line = parse(written);
    // What another run left in the directory is not this one's.
    if (at === 0 && !(line !== null && "run" in line && line.run === run)) return null;
    if (line !== null) calls.apply(line);
  }
  calls.fold(items);
  return calls;
}

/** Null for the torn last line of a crash. */
function parse(text: string): CallLine | null {
  try {
    return JSON.parse(text) as CallLine;
  } catch {
    return null;
  }
}
