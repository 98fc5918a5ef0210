import type { Random } from "../system/random.ts";

const BASE_MS = 1_000;
const LONGEST_MS = 60_000;

/**
 * Exponential backoff with full jitter: uniform between 0 and 1, 2, 4 … 60 s.
 *
 * @param pauses made before this one.
 */
export function backoffMs(pauses: number, random: Random): number {
  return random() * Math.min(LONGEST_MS, BASE_MS * 2 ** Math.max(0, pauses));
}
