import { rmSync } from "node:fs";

import { type DatabaseSync, openDatabase, type StatementSync } from "../system/sqlite.ts";
import type { AnswerBatch } from "./answer-batch.ts";

/** A run as the index knows it. */
export interface IndexedRun {
  readonly id: number;
  /** Name of its directory. */
  readonly name: string;
  readonly run_id: string;
  readonly created_at: string;
  /** So much of its results.jsonl is in the index. */
  readonly bytes: number;
}

/** Where an answer lies. */
export interface AnswerPlace {
  readonly run: number;
  /** Of its line in the run's results.jsonl. */
  readonly offset: number;
}

/** A place by the hash of what was asked. */
export interface AnswerEntry extends AnswerPlace {
  readonly request: Buffer;
}

/** Changes with the tables below: an index of another version is made anew. */
const VERSION = 1;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, run_id TEXT NOT NULL,
    created_at TEXT NOT NULL, bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS answers (
    request BLOB PRIMARY KEY, run INTEGER NOT NULL, offset INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${VERSION};
`;
/** Where several runs have an answer, the newest one's counts: old runs are cleaned away first. */
const ADD = `
  INSERT INTO answers VALUES (?, ?, ?) ON CONFLICT (request) DO UPDATE
  SET run = excluded.run, offset = excluded.offset
  WHERE coalesce((SELECT created_at FROM runs WHERE id = answers.run), '')
     <= (SELECT created_at FROM runs WHERE id = excluded.run)
`;
/** How long another process may take to write a part of it. */
const BUSY_MS = 10_000;
const CACHE_KIB = 4_096;

/** The file is not what was written. */
export class IndexDamaged extends Error {
  override readonly name = "IndexDamaged" as const;
}

/**
 * The SQLite file that says where the answers to which requests lie. It holds nothing that could not
 * be read from the ledgers again, so it may be lost, torn or behind at any time.
 */
export class AnswerIndex {
  readonly #database: DatabaseSync;
  readonly #find: StatementSync;

  /** @throws IndexDamaged, or an error of SQLite where it cannot even tell that. */
  constructor(path: string) {
    this.#database = openDatabase(path);
    try {
      this.#database.exec(`
        PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA cache_size = -${CACHE_KIB};
        PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
      `);
      const check = this.#pragma("quick_check(1)");
      if (check !== "ok") throw new IndexDamaged(String(check));
      if (this.#pragma("user_version") !== VERSION) {
        this.#database.exec("DROP TABLE IF EXISTS runs; DROP TABLE IF EXISTS answers");
      }
      this.#database.exec(SCHEMA);
      this.#find = this.#database.prepare("SELECT run, offset FROM answers WHERE request = ?");
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  runs(): IndexedRun[] {
    // The columns of our own table.
    return this.#database.prepare("SELECT * FROM runs").all() as unknown as IndexedRun[];
  }

  find(request: Buffer): AnswerPlace | null {
    return (this.#find.get(request) as unknown as AnswerPlace | undefined) ?? null;
  }

  /** Takes in a run of which nothing is known yet. */
  addRun(run: Pick<IndexedRun, "name" | "run_id" | "created_at">): void {
    this.#database
      .prepare("INSERT OR IGNORE INTO runs (name, run_id, created_at, bytes) VALUES (?, ?, ?, 0)")
      .run(run.name, run.run_id, run.created_at);
  }

  /** Takes in answers of a run, whose file is then known up to `bytes`. */
  addAnswers(run: number, answers: AnswerBatch, bytes: number): void {
    this.#atOnce(() => {
      const add = this.#database.prepare(ADD);
      // In the order of the table, neighbours fall on the same page.
      answers.inOrder((request, offset) => add.run(request, run, offset));
      this.#database.prepare("UPDATE runs SET bytes = ? WHERE id = ?").run(bytes, run);
    });
  }

  /**
   * Forgets answers that turned out not to be where they were said to be; what another process has
   * found elsewhere since then stays.
   */
  dropAnswers(gone: readonly AnswerEntry[]): void {
    this.#atOnce(() => {
      const drop = this.#database.prepare(
        "DELETE FROM answers WHERE request = ? AND run = ? AND offset = ?",
      );
      for (const { request, run, offset } of gone) drop.run(request, run, offset);
    });
  }

  /**
   * Forgets runs that are gone. Older ones are to be read again: an answer of theirs may have had to
   * make room for one of these.
   */
  dropRuns(runs: readonly IndexedRun[]): void {
    this.#atOnce(() => {
      const answers = this.#database.prepare("DELETE FROM answers WHERE run = ?");
      const forget = this.#database.prepare("DELETE FROM runs WHERE id = ?");
      const again = this.#database.prepare("UPDATE runs SET bytes = 0 WHERE created_at <= ?");
      for (const { id, created_at: created } of runs) {
        answers.run(id);
        forget.run(id);
        again.run(created);
      }
    });
  }

  close(): void {
    this.#database.close();
  }

  #pragma(name: string): unknown {
    return Object.values(this.#database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  }

  #atOnce(act: () => void): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      act();
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}

/** Removes an index file and what SQLite keeps beside it. */
export function removeIndex(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}
