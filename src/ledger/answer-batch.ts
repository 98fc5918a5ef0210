/** Of the hash of what was asked. */
const HASH_BYTES = 16;

/** Where answers of one run lie, on the way into the index: as numbers, 28 bytes for each. */
export class AnswerBatch {
  readonly #hashes: Buffer;
  readonly #offsets: Float64Array;
  readonly #order: Uint32Array;
  #size = 0;

  constructor(most: number) {
    this.#hashes = Buffer.allocUnsafeSlow(most * HASH_BYTES);
    this.#offsets = new Float64Array(most);
    this.#order = new Uint32Array(most);
  }

  get isFull(): boolean {
    return this.#size === this.#offsets.length;
  }

  /** @param request its hash in hex. */
  add(request: string, offset: number): void {
    this.#hashes.write(request, this.#size * HASH_BYTES, HASH_BYTES, "hex");
    this.#offsets[this.#size] = offset;
    this.#size += 1;
  }

  clear(): void {
    this.#size = 0;
  }

  /** Calls `onAnswer` for each, in the order of their hashes. */
  inOrder(onAnswer: (request: Buffer, offset: number) => void): void {
    const order = this.#order.subarray(0, this.#size);
    for (let at = 0; at < order.length; at += 1) order[at] = at;
    order.sort((one, other) => this.#compare(one * HASH_BYTES, other * HASH_BYTES));
    for (const at of order) {
      const start = at * HASH_BYTES;
      onAnswer(this.#hashes.subarray(start, start + HASH_BYTES), this.#offsets[at] ?? 0);
    }
  }

  #compare(one: number, other: number): number {
    const hashes = this.#hashes;
    return (
      // Nearly always enough.
      hashes.readUInt32BE(one) - hashes.readUInt32BE(other) ||
      hashes.compare(hashes, other, other + HASH_BYTES, one, one + HASH_BYTES)
    );
  }
}
