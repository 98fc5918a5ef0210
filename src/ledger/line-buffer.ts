const NEWLINE = 0x0a;
const USUAL_BYTES = 64 * 1024;
/** After a rush of long lines their room is given back. */
const MOST_KEPT_BYTES = 2 * 1024 * 1024;

/** Lines on their way to a file, as the bytes that they will be there, one after the other in one place. */
export class LineBuffer {
  #room = Buffer.allocUnsafeSlow(USUAL_BYTES);
  #length = 0;

  /** All lines since the last {@link clear}. Valid until the next {@link add}. */
  get bytes(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  /**
   * Adds a line and its line break.
   *
   * @returns how many bytes they are.
   */
  add(line: string): number {
    const bytes = Buffer.byteLength(line) + 1;
    this.#reserve(this.#length + bytes);
    this.#room.write(line, this.#length);
    this.#length += bytes;
    this.#room[this.#length - 1] = NEWLINE;
    return bytes;
  }

  clear(): void {
    this.#length = 0;
    if (this.#room.length > MOST_KEPT_BYTES) this.#room = Buffer.allocUnsafeSlow(USUAL_BYTES);
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#room.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, this.#room.length * 2));
    this.#room.copy(larger, 0, 0, this.#length);
    this.#room = larger;
  }
}
