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
    order.sort((one, other) => Buffer.compare(this.#hash(one), this.#hash(other)));
    for (const at of order) onAnswer(this.#hash(at), this.#offsets[at] ?? 0);
  }

  #hash(at: number): Buffer {
    return this.#hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
  }
}
