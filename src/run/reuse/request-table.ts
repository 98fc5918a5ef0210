import { HASH_BYTES } from "../../job/request-hash.ts";

const LANES = HASH_BYTES / 4;
const BLOCK_HASHES = 4_096;
const FIRST_SLOTS = 8_192;
/** A fuller table is searched for long. */
const MOST_FILLED = 0.75;

/**
 * What each item asks, and who asks it for all that ask the same: 16 bytes an item for the hash,
 * and 5 to 11 for each distinct request.
 */
export class RequestTable {
  readonly #blocks: Uint32Array[] = [];
  /** For each distinct request one item that asks it, plus one; 0 is an empty slot. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #size = 0;
  #distinct = 0;

  /** Items so far. */
  get size(): number {
    return this.#size;
  }

  /** Different requests so far. */
  get distinct(): number {
    return this.#distinct;
  }

  /**
   * Notes what the next item asks.
   *
   * @returns whether an earlier item asks the same.
   */
  add(hash: Buffer): boolean {
    const index = this.#size;
    if (index % BLOCK_HASHES === 0) this.#blocks.push(new Uint32Array(BLOCK_HASHES * LANES));
    const block = this.#blocks.at(-1);
    const at = (index % BLOCK_HASHES) * LANES;
    for (let lane = 0; lane < LANES; lane += 1) {
      if (block !== undefined) block[at + lane] = hash.readUInt32BE(lane * 4);
    }
    this.#size += 1;
    if (this.#distinct >= this.#slots.length * MOST_FILLED) this.#grow();
    const slot = this.#slotOf(index);
    if (this.#slots[slot] !== 0) return true;
    this.#slots[slot] = index + 1;
    this.#distinct += 1;
    return false;
  }

  /** The item that asks for all that ask the same as this one: the first of them, unless {@link lead} says otherwise. */
  leaderOf(index: number): number {
    return (this.#slots[this.#slotOf(index)] ?? 0) - 1;
  }

  /** This item now asks for all that ask the same. */
  lead(index: number): void {
    this.#slots[this.#slotOf(index)] = index + 1;
  }

  /** What an item asks. */
  hashOf(index: number): Buffer {
    const hash = Buffer.allocUnsafe(HASH_BYTES);
    for (let lane = 0; lane < LANES; lane += 1) {
      hash.writeUInt32BE(this.#lane(index, lane), lane * 4);
    }
    return hash;
  }

  /** Whether any item asks this. */
  has(hash: Buffer): boolean {
    const mask = this.#slots.length - 1;
    for (let slot = hash.readUInt32BE(0) & mask; ; slot = (slot + 1) & mask) {
      const index = (this.#slots[slot] ?? 0) - 1;
      if (index === -1) return false;
      if (this.#asks(index, hash)) return true;
    }
  }

  /** Where the item's request is in the slots, or would be. */
  #slotOf(index: number): number {
    const mask = this.#slots.length - 1;
    let slot = this.#lane(index, 0) & mask;
    for (;;) {
      const other = (this.#slots[slot] ?? 0) - 1;
      if (other === -1 || other === index || this.#isSame(index, other)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #isSame(one: number, other: number): boolean {
    for (let lane = 0; lane < LANES; lane += 1) {
      if (this.#lane(one, lane) !== this.#lane(other, lane)) return false;
    }
    return true;
  }

  #asks(index: number, hash: Buffer): boolean {
    for (let lane = 0; lane < LANES; lane += 1) {
      if (this.#lane(index, lane) !== hash.readUInt32BE(lane * 4)) return false;
    }
    return true;
  }

  #lane(index: number, lane: number): number {
    const block = this.#blocks[Math.floor(index / BLOCK_HASHES)];
    return block?.[(index % BLOCK_HASHES) * LANES + lane] ?? 0;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(before.length * 2);
    for (const entry of before) if (entry !== 0) this.#slots[this.#slotOf(entry - 1)] = entry;
  }
}
