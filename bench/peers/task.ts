/** What every contender is asked to do: the same flags, the same prompt. */
import { parseArgs } from "node:util";

export const MODEL = "gpt-4o-mini";
export const SYSTEM = "You are a professional AI assistant.";
export const QUESTION = "Classify the sentiment: ";
export const PARAMS = { temperature: 0, max_tokens: 50 };

/** Any key will do for the sandbox; this one has no limits there. */
export const API_KEY = "sk-demo";

/** A line of the input file. */
export interface Review {
  readonly id: string;
  readonly text: string;
}

/** The flags of a peer. */
export interface Task {
  readonly input: string;
  readonly out: string;
  readonly baseURL: string;
  readonly concurrency: number;
  /** Empty for the peers that need no Redis. */
  readonly redis: string;
}

/** Reads the flags of a peer. */
export function parseTask(): Task {
  const { values } = parseArgs({
    options: {
      input: { type: "string", default: "input.csv" },
      out: { type: "string", default: "output.jsonl" },
      "base-url": { type: "string", default: "http://127.0.0.1:8080/v1" },
      concurrency: { type: "string", default: "64" },
      redis: { type: "string", default: "" },
    },
  });
  return {
    input: values.input,
    out: values.out,
    baseURL: values["base-url"],
    concurrency: Number(values.concurrency),
    redis: values.redis,
  };
}
