import * as z from "zod";

import { parseDuration } from "./duration.ts";
import { notifySchema } from "./notify-schema.ts";
import { scheduleSchema, sharedOutProblem } from "./schedule-schema.ts";

/** Any value that JSON can hold. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

const noDuration = { error: 'is no duration: write one such as "60s", "10m" or "24h"' };
const duration = z
  .union([z.string(), z.number()], noDuration)
  .refine((value) => parseDuration(value) !== null, noDuration);

const message = z.strictObject({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  name: z.string().exactOptional(),
  content: z
    .union([z.string(), z.array(z.record(z.string(), z.json()))], {
      error: "is neither text nor a list of content parts such as { type: text, text: … }",
    })
    .describe("Liquid template over the record's columns, or content parts holding such templates"),
});

/** Fields of a request that are said elsewhere, or not at all. */
const MISPLACED: ReadonlyMap<string, string> = new Map([
  ["model", "belongs in `model` of the job, or in --model"],
  ["messages", "belongs in `messages` of the job, or in --prompt and --system"],
  ["stream", "belongs in `stream` of the job, or in --stream"],
  ["stream_options", "is set by Nightshift where it streams: leave it out"],
  ["n", "would buy several answers per item, and the output has room for one: leave it out"],
]);

/** Why a field of the request is no param; null where it is one. */
export function misplacedParam(name: string): string | null {
  return MISPLACED.get(name) ?? null;
}

const delimiter = z.enum([",", ";", "|", "tab"]);

const price = z.strictObject({
  input: z.number().min(0).describe("US dollars per million prompt tokens"),
  output: z.number().min(0).describe("US dollars per million completion tokens"),
  cached_input: z
    .number()
    .min(0)
    .exactOptional()
    .describe("US dollars per million cached prompt tokens; default: the price of input"),
  request: z.number().min(0).exactOptional().describe("US dollars per answered call; default 0"),
});

const jobFields = z.strictObject({
  name: z
    .string()
    .regex(/^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u, {
      error: "must be letters, digits, `.`, `_` and `-` only, the first a letter or digit",
    })
    .exactOptional()
    .describe("Name of the job; default: the file's name without its ending"),
  input: z
    .string()
    .min(1)
    .describe(
      "Path of the input, relative to this file: .csv .tsv .jsonl .ndjson, also .gz; may hold {{ date }}, {{ time }}, {{ name }} and a pattern such as inbox/*.csv; - is standard input",
    ),
  model: z.string().min(1).exactOptional().describe("Model to ask, as the gateway names it"),
  messages: z
    .array(message)
    .min(1)
    .exactOptional()
    .describe("The prompt: Liquid templates over the record's columns"),
  params: z
    .record(z.string(), z.json())
    .superRefine((params, context) => {
      for (const name of Object.keys(params)) {
        const message = misplacedParam(name);
        if (message !== null) context.addIssue({ code: "custom", path: [name], message });
      }
    })
    .exactOptional()
    .describe("Further fields of the request: temperature, max_tokens, response_format …"),
  id: z
    .string()
    .min(1)
    .exactOptional()
    .describe(
      "Template of each item's custom_id; default: column custom_id, else id, else the record's number",
    ),
  limits: z
    .strictObject({
      concurrency: z
        .int()
        .min(1)
        .max(10_000)
        .exactOptional()
        .describe("Calls in flight per process; default 64"),
      rpm: z.number().positive().exactOptional().describe("Requests per minute of the account"),
      tpm: z.number().positive().exactOptional().describe("Tokens per minute of the account"),
      budget: z
        .strictObject({
          usd: z.number().positive().exactOptional().describe("US dollars"),
          tokens: z.int().positive().exactOptional().describe("Tokens of prompts and answers"),
          requests: z.int().positive().exactOptional().describe("Calls"),
        })
        .exactOptional()
        .describe("What the run may spend in all; it pauses before it would spend more"),
    })
    .exactOptional(),
  retry: z
    .strictObject({
      attempts: z
        .int()
        .min(1)
        .max(1_000)
        .exactOptional()
        .describe("Calls per item at most; default 6"),
    })
    .exactOptional(),
  timeout: duration
    .exactOptional()
    .describe(
      "Time for a whole answer; with stream: silence between chunks, and ten times it in all; default 60s",
    ),
  max_outage: duration
    .exactOptional()
    .describe("How long a run waits for a gateway that is down before it pauses; default 24h"),
  stream: z
    .boolean()
    .exactOptional()
    .describe("Ask for streamed answers, which survive proxies that cut slow calls; default false"),
  on_length: z
    .enum(["keep", "fail"])
    .exactOptional()
    .describe(
      "What an answer cut at max_tokens is: kept and counted, or a failed item; default keep",
    ),
  dedupe: z
    .boolean()
    .exactOptional()
    .describe("Ask identical requests of a run once and share the answer; default false"),
  incremental: z
    .boolean()
    .exactOptional()
    .describe("Ask only what no earlier run of this job has an answer to; default false"),
  out: z
    .string()
    .min(1)
    .exactOptional()
    .describe(
      "Run directory, relative to this file; may hold {{ name }}, {{ date }}, {{ time }}, {{ run_id }}",
    ),
  encoding: z
    .string()
    .exactOptional()
    .describe("Encoding of the input, such as gb18030; default UTF-8, or UTF-16 by its BOM"),
  delimiter: delimiter
    .exactOptional()
    .describe("What separates the columns of a CSV; default a comma, or a tab in .tsv"),
  csv_bom: z
    .boolean()
    .exactOptional()
    .describe("Begin output.csv with a byte order mark, for Excel; default false"),
  csv_safe: z
    .boolean()
    .exactOptional()
    .describe("Escape cells of output.csv that a spreadsheet would run as formulas; default false"),
  pricing: z
    .union([price, z.record(z.string(), price)], {
      error:
        "is no price: write { input: 0.15, output: 0.6 } in US dollars per million tokens, or one such entry per model",
    })
    .exactOptional()
    .describe(
      "Your prices: for the model, or per model; default: list prices where known, else the gateway's own price list",
    ),
  notify: notifySchema
    .exactOptional()
    .describe("Whom to tell how a run went: a webhook that is sent a signed POST"),
  schedule: scheduleSchema
    .exactOptional()
    .describe("When `nightshift scheduler` runs this job by itself"),
});

/** The job file: what users write in `jobs/*.yaml`. */
export const jobFileSchema = jobFields.superRefine(({ input, out, schedule }, context) => {
  if (input === "-" && schedule !== undefined) {
    const message = "is standard input, which a scheduler has none of: name a file";
    context.addIssue({ code: "custom", path: ["input"], message });
  }
  const message =
    out === undefined || schedule === undefined ? null : sharedOutProblem(out, schedule);
  if (message !== null) context.addIssue({ code: "custom", path: ["out"], message });
});

/** A job as users write it: in YAML, or in code with {@link defineJob}. */
export type JobFile = z.input<typeof jobFileSchema>;
export type Price = z.infer<typeof price>;
export type Pricing = NonNullable<z.infer<typeof jobFileSchema>["pricing"]>;
export type Delimiter = z.infer<typeof delimiter>;
export type MessageTemplate = z.infer<typeof message>;
