/** The official client under p-limit: the script that most people write first. */
import { createWriteStream, readFileSync } from "node:fs";
import { finished } from "node:stream/promises";

import { parse } from "csv-parse/sync";
import OpenAI from "openai";
import pLimit from "p-limit";

import { API_KEY, MODEL, PARAMS, parseTask, QUESTION, type Review, SYSTEM } from "./task.ts";

const task = parseTask();
const client = new OpenAI({ apiKey: API_KEY, baseURL: task.baseURL });
const limit = pLimit(task.concurrency);
const output = createWriteStream(task.out);

const reviews = parse<Review>(readFileSync(task.input), { columns: true, bom: true });
await Promise.all(reviews.map((review) => limit(() => classify(review))));
output.end();
await finished(output);

async function classify(review: Review): Promise<void> {
  try {
    const answer = await client.chat.completions.create({
      model: MODEL,
      messages: [
        { role: "system", content: SYSTEM },
        { role: "user", content: QUESTION + review.text },
      ],
      ...PARAMS,
    });
    const completion = answer.choices[0]?.message.content;
    output.write(`${JSON.stringify({ id: review.id, completion, usage: answer.usage })}\n`);
  } catch (error) {
    process.exitCode = 2;
    output.write(`${JSON.stringify({ id: review.id, error: String(error) })}\n`);
  }
}
