import { openSync } from "node:fs";

import { destination, type Logger, pino } from "pino";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "silent";
export type Log = Logger;

/** A log that is written to a file, and flushed and closed by the one who opened it. */
export interface FileLog {
  readonly log: Log;
  close(): Promise<void>;
}

/** Opens an NDJSON log; a disk that is full or refuses it costs log lines, never the run. */
export function openLog(path: string, level: LogLevel, bindings: object): FileLog {
  let fd: number;
  try {
    fd = openSync(path, "a");
  } catch {
    return { log: pino({ level: "silent" }), close: () => Promise.resolve() };
  }
  const stream = destination({ fd, sync: false });
  stream.on("error", () => {});
  const log = pino({ level, base: bindings, timestamp: pino.stdTimeFunctions.isoTime }, stream);
  return {
    log,
    close: () =>
      new Promise((resolve) => {
        stream.once("close", () => resolve());
        stream.once("error", () => resolve());
        stream.end();
      }),
  };
}

/** A log on stderr, for a process that has no directory of its own. */
export function openStderrLog(level: LogLevel, bindings: object): Log {
  const stream = destination(2);
  // A terminal that was closed costs log lines too.
  stream.on("error", () => {});
  return pino({ level, base: bindings, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}
