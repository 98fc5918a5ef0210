import { closeSync, openSync, readSync } from "node:fs";

/** Most lines are read in one go. */
const USUAL_LINE_BYTES = 8 * 1024;
const NEWLINE = 0x0a;

/**
 * Reads single lines that lie anywhere in a file. Most of what it reads is in the page cache, from
 * where a few kilobytes come sooner than a thread could be asked for them.
 */
export class PointReader {
  readonly #path: string;
  #buffer = Buffer.allocUnsafe(USUAL_LINE_BYTES);
  #file: number | null = null;

  /** The file is opened at the first read. */
  constructor(path: string) {
    this.#path = path;
  }

  /** The line that starts at `offset`, without its line break; null where no whole line does. It is valid until the next read. */
  read(offset: number): Buffer | null {
    const file = (this.#file ??= openSync(this.#path, "r"));
    for (let length = 0; ;) {
      const read = readSync(
        file,
        this.#buffer,
        length,
        this.#buffer.length - length,
        offset + length,
      );
      const end = this.#buffer.subarray(length, length + read).indexOf(NEWLINE);
      if (end !== -1) return this.#buffer.subarray(0, length + end);
      length += read;
      if (read === 0) return null;
      if (length === this.#buffer.length) this.#enlarge();
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #enlarge(): void {
    const before = this.#buffer;
    this.#buffer = Buffer.allocUnsafe(before.length * 4);
    before.copy(this.#buffer);
  }
}
