import { type FileHandle, open } from "node:fs/promises";

const BLOCK_BYTES = 256 * 1024;
const KEPT_BLOCKS = 32;
const NEWLINE = 0x0a;

/**
 * Reads single lines of a file by their offset. Answers lie nearly in input order, so a handful of
 * blocks kept in memory turns the export's reads into a sequential pass.
 */
export class LineReader {
  readonly #path: string;
  readonly #blocks = new Map<number, Buffer>();
  #file: FileHandle | undefined;

  /** The file is opened at the first read: where nothing failed there may be no errors.jsonl. */
  constructor(path: string) {
    this.#path = path;
  }

  /** The line that starts at `offset`, without its line break. It is valid until the next read. */
  async read(offset: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let at = offset; ;) {
      const number = Math.floor(at / BLOCK_BYTES);
      // Only a block that is not in memory is worth a turn of the event loop.
      const block = this.#blocks.get(number) ?? (await this.#load(number));
      const from = at - number * BLOCK_BYTES;
      const end = block.indexOf(NEWLINE, from);
      if (end !== -1) {
        const last = block.subarray(from, end);
        return parts.length === 0 ? last : Buffer.concat([...parts, last]);
      }
      // The next block may take the place of this one.
      parts.push(Buffer.from(block.subarray(from)));
      if (block.length < BLOCK_BYTES) return Buffer.concat(parts);
      at = (number + 1) * BLOCK_BYTES;
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }

  async #load(number: number): Promise<Buffer> {
    const file = (this.#file ??= await open(this.#path, "r"));
    const buffer = this.#room();
    const position = number * BLOCK_BYTES;
    let length = 0;
    while (length < BLOCK_BYTES) {
      const { bytesRead } = await file.read(
        buffer,
        length,
        BLOCK_BYTES - length,
        position + length,
      );
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    const block = buffer.subarray(0, length);
    this.#blocks.set(number, block);
    return block;
  }

  /** The oldest block's once there are many: new ones each time would pile up until they are collected. */
  #room(): Buffer {
    const [oldest] = this.#blocks.size >= KEPT_BLOCKS ? this.#blocks : [];
    if (oldest === undefined) return Buffer.allocUnsafeSlow(BLOCK_BYTES);
    const [number, block] = oldest;
    this.#blocks.delete(number);
    return Buffer.from(block.buffer, 0, BLOCK_BYTES);
  }
}
