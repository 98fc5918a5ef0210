import { type FileHandle, open } from "node:fs/promises";

import { lineIndex, linePrefix } from "./line.ts";

/** A whole line of a ledger file, where it lies and whose it is. */
export interface ScannedLine {
  readonly index: number | null;
  readonly offset: number;
  /** Valid until the callback ends. */
  readonly bytes: Buffer;
}

/** What follows the last line break: the trace of a write that was cut short. */
export interface ScanEnd {
  /** Bytes up to and including the last line break. */
  readonly wholeBytes: number;
  readonly tornBytes: number;
}

const CHUNK_BYTES = 256 * 1024;
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
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return { wholeBytes: 0, tornBytes: 0 };
    }
    throw error;
  }
  try {
    return await scanFile(file, linePrefix(runId), onLine, start);
  } finally {
    await file.close();
  }
}

/** One buffer for all that is read: a new one for each piece would pile up until they are collected. */
async function scanFile(
  file: FileHandle,
  prefix: string,
  onLine: (line: ScannedLine) => void | Promise<void>,
  start: number,
): Promise<ScanEnd> {
  let buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let offset = start;
  /** Bytes of a line whose end is not read yet, at the beginning of the buffer. */
  let rest = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, rest, buffer.length - rest, offset + rest);
    if (bytesRead === 0) return { wholeBytes: offset, tornBytes: rest };
    const filled = buffer.subarray(0, rest + bytesRead);
    let from = 0;
    for (let at = filled.indexOf(NEWLINE, rest); at !== -1; at = filled.indexOf(NEWLINE, from)) {
      const bytes = filled.subarray(from, at);
      const index = lineIndex(bytes.toString("latin1", 0, HEAD_BYTES), prefix);
      const waiting = onLine({ index, offset, bytes });
      if (waiting !== undefined) await waiting;
      offset += bytes.length + 1;
      from = at + 1;
    }
    rest = filled.length - from;
    filled.copyWithin(0, from);
    if (rest === buffer.length) {
      const larger = Buffer.allocUnsafe(buffer.length * 2);
      buffer.copy(larger);
      buffer = larger;
    }
  }
}
