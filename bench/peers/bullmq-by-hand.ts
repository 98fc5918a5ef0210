/** A durable worker put together by hand: BullMQ, bottleneck, p-retry and the official client. */
import { createWriteStream, readFileSync } from "node:fs";
import { finished } from "node:stream/promises";

import Bottleneck from "bottleneck";
import { type Job, Queue, Worker } from "bullmq";
import { parse } from "csv-parse/sync";
import { Redis } from "ioredis";
import OpenAI from "openai";
import pRetry from "p-retry";

import { API_KEY, MODEL, PARAMS, parseTask, QUESTION, type Review, SYSTEM } from "./task.ts";

const ADD_AT_ONCE = 1000;

const task = parseTask();
const connection = new Redis(task.redis, { maxRetriesPerRequest: null });
const client = new OpenAI({ apiKey: API_KEY, baseURL: task.baseURL });
const limiter = new Bottleneck({ maxConcurrent: task.concurrency });
const output = createWriteStream(task.out);

const queue = new Queue<Review>("reviews", { connection });
const reviews = parse<Review>(readFileSync(task.input), { columns: true, bom: true });
const allDone = Promise.withResolvers<void>();
let done = 0;

const worker = new Worker<Review>("reviews", work, { connection, concurrency: task.concurrency });
worker.on("error", (error) => console.error(error));
worker.on("failed", (_job, error) => {
  console.error(error);
  process.exitCode = 2;
  countOne();
});
worker.on("completed", countOne);

for (let start = 0; start < reviews.length; start += ADD_AT_ONCE) {
  await queue.addBulk(
    reviews.slice(start, start + ADD_AT_ONCE).map((review) => ({
      name: "classify",
      data: review,
      opts: { removeOnComplete: true },
    })),
  );
}
await allDone.promise;

await worker.close();
await queue.close();
await connection.quit();
output.end();
await finished(output);

async function work(job: Job<Review>): Promise<void> {
  const answer = await limiter.schedule(() => pRetry(() => classify(job.data), { retries: 5 }));
  const completion = answer.choices[0]?.message.content;
  output.write(`${JSON.stringify({ id: job.data.id, completion, usage: answer.usage })}\n`);
}

function classify(review: Review): Promise<OpenAI.ChatCompletion> {
  return client.chat.completions.create({
    model: MODEL,
    messages: [
      { role: "system", content: SYSTEM },
      { role: "user", content: QUESTION + review.text },
    ],
    ...PARAMS,
  });
}

function countOne(): void {
  done += 1;
  if (done === reviews.length) allDone.resolve();
}
