import { createRequire } from "node:module";
import type * as Sqlite from "node:sqlite";

export type { DatabaseSync, StatementSync } from "node:sqlite";

/** Opens a database file, and makes it where there is none, with the SQLite that Node itself brings. */
export function openDatabase(path: string): Sqlite.DatabaseSync {
  const { DatabaseSync } = loadSqlite();
  return new DatabaseSync(path);
}

/** Whether something was thrown by SQLite, and not by us. */
export function isSqliteError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}

/** Whether another process was writing the file for too long. */
export function isBusy(error: Error): boolean {
  // The further bits say what for.
  return "errcode" in error && (Number(error.errcode) & 0xff) === BUSY;
}

const BUSY = 5;

/**
 * Node 22 and 24 warn that their SQLite is experimental, which is nothing to the user of a run.
 * Nothing else can warn while it is loaded: that takes no turn of the event loop.
 */
function loadSqlite(): typeof Sqlite {
  const emitWarning: unknown = Reflect.get(process, "emitWarning");
  Reflect.set(process, "emitWarning", () => {});
  try {
    return createRequire(import.meta.url)("node:sqlite") as typeof Sqlite;
  } finally {
    Reflect.set(process, "emitWarning", emitWarning);
  }
}
