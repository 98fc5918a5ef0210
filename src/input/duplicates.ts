/**
 * Finds out whether ids may repeat, at eight bytes per id. Equal ids have equal hashes; whether equal hashes
 * were equal ids only a second reading of the input can tell.
 */
export class DuplicateFinder {
  // By the first byte of the hash, so that `suspects` sorts a 256th at a time.
  readonly #buckets: Uint32Array[][] = Array.from({ length: 256 }, () => []);
  readonly #counts = new Uint32Array(256);

  /** Notes one id. */
  add(customId: string): void {
    hashInto(customId, lanes);
    const bucket = lanes[0] >>> 24;
    const count = this.#counts[bucket] ?? 0;
    const blocks = this.#buckets[bucket] ?? [];
    if (count % BLOCK_HASHES === 0) blocks.push(new Uint32Array(BLOCK_HASHES * 2));
    const block = blocks[Math.floor(count / BLOCK_HASHES)];
    const at = (count % BLOCK_HASHES) * 2;
    block?.set(lanes, at);
    this.#counts[bucket] = count + 1;
  }

  /** Makes a test for whether an id was noted. It may say so of one in 2^64 that was not. */
  lookup(): (customId: string) => boolean {
    const sorted = this.#buckets.map((blocks, bucket) =>
      joined(blocks, this.#counts[bucket] ?? 0).sort(),
    );
    return (customId) => {
      const hash = hashOf(customId);
      hashInto(customId, lanes);
      return isIn(sorted[lanes[0] >>> 24] ?? new BigUint64Array(), hash);
    };
  }

  /** The hashes (see {@link hashOf}) that were noted more than once. */
  suspects(): ReadonlySet<bigint> {
    const found = new Set<bigint>();
    for (const [bucket, blocks] of this.#buckets.entries()) {
      const sorted = joined(blocks, this.#counts[bucket] ?? 0).sort();
      for (let at = 1; at < sorted.length; at += 1) {
        const hash = sorted[at];
        if (hash !== undefined && hash === sorted[at - 1]) found.add(hash);
      }
    }
    return found;
  }
}

/** The 64-bit hash of an id, as in the set of suspects. */
export function hashOf(customId: string): bigint {
  const hash = new Uint32Array(2);
  hashInto(customId, hash);
  return new BigUint64Array(hash.buffer)[0] ?? 0n;
}

const BLOCK_HASHES = 512;
const lanes = new Uint32Array(2) as Uint32Array & { 0: number; 1: number };

function joined(blocks: readonly Uint32Array[], count: number): BigUint64Array {
  const all = new BigUint64Array(blocks.length * BLOCK_HASHES);
  for (const [at, block] of blocks.entries()) {
    all.set(new BigUint64Array(block.buffer), at * BLOCK_HASHES);
  }
  return all.subarray(0, count);
}

function isIn(sorted: BigUint64Array, hash: bigint): boolean {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] ?? 0n) < hash) from = middle + 1;
    else to = middle;
  }
  return sorted[from] === hash;
}

/** Two independent 32-bit lanes (cyrb53's scheme with all 64 bits kept), each mixed at the end as in murmur3. */
function hashInto(text: string, into: Uint32Array): void {
  let one = 0xdeadbeef;
  let two = 0x41c6ce57;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    one = Math.imul(one ^ unit, 0x9e3779b1);
    two = Math.imul(two ^ unit, 0x5f356495);
  }
  one = Math.imul(one ^ (one >>> 16), 0x85ebca6b) ^ Math.imul(two ^ (two >>> 13), 0xc2b2ae35);
  two = Math.imul(two ^ (two >>> 16), 0x85ebca6b) ^ Math.imul(one ^ (one >>> 13), 0xc2b2ae35);
  into[0] = one ^ (one >>> 16);
  into[1] = two ^ (two >>> 16);
}
