import { createReadStream } from "node:fs";

import { lineIndex, linePrefix } from "./line.ts";

/** A whole line of a ledger file, where it lies and whose it is. */
export interface ScannedLine {
  readonly index: number | null;
  readonly offset: number;
  readonly bytes: Buffer;
}

/** What follows the last line break: the trace of a write that was cut short. */
export interface ScanEnd {
  /** Bytes up to and including the last line break. */
  readonly wholeBytes: number;
  readonly tornBytes: number;
}

const CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;
/** An id is at most this long: run ids are short, and an index has at most 9 digits. */
export const HEAD_BYTES = 256;

/**
 * Calls `onLine` for each whole line of a ledger file, in flat memory. A missing file is empty.
 *
 * @param start offset of the first line to look at.
 */
export async function scanLedger(
  path: string,
  runId: string,
  onLine: (line: ScannedLine) => void | Promise<void>,
  start = 0,
): Promise<ScanEnd> {
  const prefix = linePrefix(runId);
  let offset = start;
  let rest: Buffer[] = [];
  let restBytes = 0;
  const stream = createReadStream(path, { highWaterMark: CHUNK_BYTES, start });
  try {
    for await (const read of stream) {
      const chunk = read as Buffer;
      let from = 0;
      for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
        const tail = chunk.subarray(from, at);
        const bytes = restBytes === 0 ? tail : Buffer.concat([...rest, tail]);
        const index = lineIndex(bytes.toString("latin1", 0, HEAD_BYTES), prefix);
        const waiting = onLine({ index, offset, bytes });
        if (waiting !== undefined) await waiting;
        offset += bytes.length + 1;
        rest = [];
        restBytes = 0;
        from = at + 1;
      }
      if (from < chunk.length) {
        rest.push(chunk.subarray(from));
        restBytes += chunk.length - from;
      }
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return { wholeBytes: 0, tornBytes: 0 };
    }
    throw error;
  }
  return { wholeBytes: offset, tornBytes: restBytes };
}
