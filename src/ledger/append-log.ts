import { writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

import { diskStop } from "./files.ts";

const NEWLINE = 0x0a;
/** Most lines are read back in one go. */
const USUAL_LINE_BYTES = 4 * 1024;

interface Pending {
  readonly bytes: Buffer;
  readonly resolve: (offset: number) => void;
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
  #size: number;
  #pending: Pending[] = [];
  #flushing: Promise<void> | undefined;
  #broken: unknown;

  private constructor(file: FileHandle, path: string, size: number, writeBytes: WriteBytes) {
    this.#file = file;
    this.#path = path;
    this.#size = size;
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
  append(line: string): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) {
        reject(this.#broken);
        return;
      }
      this.#pending.push({ bytes: Buffer.from(`${line}\n`), resolve, reject });
      this.#flushing ??= this.#flush();
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
    while (this.#pending.length > 0) {
      const group = this.#pending;
      this.#pending = [];
      await this.#write(group);
    }
    this.#flushing = undefined;
  }

  async #write(group: readonly Pending[]): Promise<void> {
    const start = this.#size;
    let written = 0;
    let failure: unknown;
    try {
      const bytes = Buffer.concat(group.map((line) => line.bytes));
      while (written < bytes.length) {
        written += this.#writeBytes(this.#file.fd, bytes, written);
      }
    } catch (error) {
      failure = error;
    }
    // Lines that found room before the disk was full are kept; the torn one is cut off.
    let offset = start;
    const whole = group.filter((line) => {
      if (offset + line.bytes.length > start + written) return false;
      offset += line.bytes.length;
      return true;
    });
    try {
      if (failure !== undefined) await this.#file.truncate(offset);
      await this.#file.datasync();
      this.#size = offset;
    } catch (error) {
      // After a failed sync nobody knows what is on the disk, and a second one would lie.
      this.#fail(group, error);
      return;
    }
    let lineStart = start;
    for (const line of whole) {
      line.resolve(lineStart);
      lineStart += line.bytes.length;
    }
    if (failure !== undefined) this.#fail(group.slice(whole.length), failure);
  }

  #fail(lines: readonly Pending[], error: unknown): void {
    this.#broken = diskStop(this.#path, error);
    for (const line of [...lines, ...this.#pending]) line.reject(this.#broken);
    this.#pending = [];
  }
}
