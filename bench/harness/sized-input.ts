import { writeFile } from "node:fs/promises";

import { type Random, seededRandom } from "../../src/system/random.ts";

const SEED = 1688;
const CHARACTERS_PER_TOKEN = 4;
/** The rest is the prompt. */
const ANSWER_SHARE = 0.2;

/** How many tokens each item needs, its prompt and its answer together. */
export type SizeOf = (random: Random) => number;

export const SMALL: SizeOf = () => 50;

/** From 50 to 4 000 tokens: each doubling is as likely, about 900 on average. */
export const MIXED: SizeOf = (random) => Math.round(50 * 80 ** random());

/** Writes a JSONL of requests whose answers take all of their `max_tokens`. */
export async function writeSizedInput(path: string, items: number, size: SizeOf): Promise<void> {
  const random = seededRandom(SEED);
  const lines: string[] = [];
  for (let index = 0; index < items; index += 1) {
    const tokens = size(random);
    const answer = Math.max(1, Math.floor(tokens * ANSWER_SHARE));
    const prompt = `Item ${index}: `.padEnd((tokens - answer) * CHARACTERS_PER_TOKEN, "word ");
    const request = { messages: [{ role: "user", content: prompt }], max_tokens: answer };
    lines.push(`${JSON.stringify({ custom_id: `item-${index}`, ...request })}\n`);
  }
  await writeFile(path, lines.join(""));
}
