/** LangChain's chat model and its own `.batch`. */
import { readFileSync, writeFileSync } from "node:fs";

import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { parse } from "csv-parse/sync";

import { API_KEY, MODEL, PARAMS, parseTask, QUESTION, type Review, SYSTEM } from "./task.ts";

const task = parseTask();
const model = new ChatOpenAI({
  model: MODEL,
  temperature: PARAMS.temperature,
  maxTokens: PARAMS.max_tokens,
  apiKey: API_KEY,
  configuration: { baseURL: task.baseURL },
});

const reviews = parse<Review>(readFileSync(task.input), { columns: true, bom: true });
const answers = await model.batch(
  reviews.map((review) => [new SystemMessage(SYSTEM), new HumanMessage(QUESTION + review.text)]),
  { maxConcurrency: task.concurrency },
);

const lines = answers.map((answer, index) =>
  JSON.stringify({
    id: reviews[index]?.id,
    completion: answer.content,
    usage: answer.usage_metadata,
  }),
);
writeFileSync(task.out, `${lines.join("\n")}\n`);
