import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";

import { type Random, seededRandom } from "../../src/system/random.ts";

const SEED = 1688;
const TEXT_BYTES = 200;

const PHRASES = [
  "arrived two days late,",
  "the colour is exactly as shown",
  'my daughter calls it "the best one"',
  "质量很好，",
  "客服回复很快",
  "works well, mostly",
  "I would not buy it again",
  "包装破损,",
  'the manual says "do not wash"',
  "battery lasts a week",
  "价格便宜，物超所值",
  "size runs small;",
  "好评！",
  "a gift for my father",
  "stopped working after a month,",
];

/** Writes a CSV of reviews, about 200 bytes each: the same for the same number of items. */
export async function writeInput(path: string, items: number): Promise<void> {
  const random = seededRandom(SEED);
  const file = createWriteStream(path);
  file.write("id,text\n");
  for (let index = 0; index < items; index += 1) {
    const line = `review-${index},"${review(random).replaceAll('"', '""')}"\n`;
    if (!file.write(line)) await once(file, "drain");
  }
  file.end();
  await finished(file);
}

function review(random: Random): string {
  let text = "";
  while (Buffer.byteLength(text) < TEXT_BYTES) {
    text += `${text === "" ? "" : " "}${PHRASES[Math.floor(random() * PHRASES.length)]}`;
  }
  return text;
}
