import { writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

import { diskStop } from "./files.ts";
import { LineBuffer } from "./line-buffer.ts";

const NEWLINE = 0x0a;
/** Most lines are read back in one go. */
const USUAL_LINE_BYTES = 4 * 1024;

/** Somebody who waits until the file is on disk up to some byte. */
interface Waiting {
  readonly until: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Writes some of the bytes from `from` on and says how many, as `write(2)` does. */
export type WriteBytes = (fd: number, bytes: Buffer, from: number) => number;

/**
 * A file that only grows, by whole lines. All lines that arrive while one fdatasync is under way
 * share the next one, so syncing always costs next to nothing per line.
 */
export class AppendLog {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #writeBytes: WriteBytes;
  /** What is still to be written. */
  readonly #lines = new LineBuffer();
  /** Bytes that are on disk. */
  #size: number;
  /** Bytes that will be, with all lines so far. */
  #end: number;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  #broken: unknown;

  private constructor(file: FileHandle, path: string, size: number, writeBytes: WriteBytes) {
    this.#file = file;
    this.#path = path;
    this.#size = size;
    this.#end = size;
    this.#writeBytes = writeBytes;
  }

  /** Opens the file for appending after its first `size` bytes; what lies behind them is cut off. */
  static async open(
    path: string,
    size: number,
    // Handing a few kilobytes to the page cache takes less time than handing them to a thread; the
    // sync, which waits for the disk, goes to one.
    writeBytes: WriteBytes = writeSync,
  ): Promise<AppendLog> {
    const file = await open(path, "a+");
    try {
      const { size: found } = await file.stat();
      if (found > size) {
        await file.truncate(size);
        await file.datasync();
      }
      return new AppendLog(file, path, size, writeBytes);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Resolves with the line's byte offset once it is safely on disk.
   *
   * @param line without its line break.
   * @throws RunStopped when the disk is full or cannot be written; nothing may be appended after that.
   */
  async append(line: string): Promise<number> {
    const offset = this.place(line);
    await this.synced();
    return offset;
  }

  /**
   * Puts a line behind the others and returns its byte offset; {@link synced} tells when it is there,
   * or that it never will be. Until then it takes the room of its bytes, and nothing else.
   */
  place(line: string): number {
    const offset = this.#end;
    if (this.#broken !== undefined) return offset;
    this.#end += this.#lines.add(line);
    this.#flushing ??= this.#flush();
    return offset;
  }

  /**
   * Resolves when all lines so far are safely on disk.
   *
   * @throws as {@link append}.
   */
  synced(): Promise<void> {
    const until = this.#end;
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) reject(this.#broken);
      else if (until === this.#size) resolve();
      else this.#waiting.push({ until, resolve, reject });
    });
  }

  /** The whole line that starts at a byte offset, without its line break. */
  async read(offset: number): Promise<Buffer> {
    for (let length = USUAL_LINE_BYTES; ; length *= 4) {
      const { buffer, bytesRead } = await this.#file.read(
        Buffer.allocUnsafe(length),
        0,
        length,
        offset,
      );
      const end = buffer.subarray(0, bytesRead).indexOf(NEWLINE);
      if (end !== -1) return buffer.subarray(0, end);
      if (bytesRead < length) throw new Error(`${this.#path} has no whole line at byte ${offset}`);
    }
  }

  /** Waits for what was appended, then closes the file. */
  async close(): Promise<void> {
    await this.#flushing;
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    // One turn of the event loop gathers the lines of all answers that arrived together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#lines.bytes.length > 0) await this.#write();
    this.#flushing = undefined;
  }

  async #write(): Promise<void> {
    const { bytes } = this.#lines;
    let written = 0;
    let failure: unknown;
    try {
      while (written < bytes.length) {
        written += this.#writeBytes(this.#file.fd, bytes, written);
      }
    } catch (error) {
      failure = error;
    }
    // Lines that found room before the disk was full are kept; the torn one is cut off.
    const size = this.#size + bytes.subarray(0, written).lastIndexOf(NEWLINE) + 1;
    this.#lines.clear();
    try {
      if (failure !== undefined) await this.#file.truncate(size);
      await this.#file.datasync();
      this.#size = size;
    } catch (error) {
      // After a failed sync nobody knows what is on the disk, and a second one would lie.
      this.#fail(error);
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ until }) => until > size);
    for (const { until, resolve } of waiting) if (until <= size) resolve();
    if (failure !== undefined) this.#fail(failure);
  }

  #fail(error: unknown): void {
    this.#broken = diskStop(this.#path, error);
    for (const { reject } of this.#waiting) reject(this.#broken);
    this.#waiting = [];
    this.#lines.clear();
  }
}
