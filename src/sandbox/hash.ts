/** 32 bits that depend on the seed and on every character of `text`. */
export function hash32(seed: number, text: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  // FNV alone leaves near-equal texts near each other; this finish (from murmur3) spreads them.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Like {@link hash32}, as a number in [0, 1). */
export function hashFraction(seed: number, text: string): number {
  return hash32(seed, text) / 4_294_967_296;
}
