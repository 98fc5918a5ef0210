/** Who is measured, and how each is started. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { API_KEY, MODEL, PARAMS, QUESTION, SYSTEM } from "../peers/task.ts";

/** What every ratio is a ratio to. */
export const BASELINE = "openai + p-limit";

/** One whole run to be done by one process. */
export interface Assignment {
  readonly input: string;
  readonly items: number;
  /** An empty directory, the contender's own. */
  readonly directory: string;
  readonly baseURL: string;
  readonly concurrency: number;
  /** Empty for a contender that needs no Redis. */
  readonly redis: string;
}

/** How to start a process on an assignment. */
export interface Command {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Holds one line per answered item afterwards. */
  readonly results: string;
}

/** Nightshift or a peer. */
export interface Contender {
  readonly name: string;
  readonly needsRedis: boolean;
  command(assignment: Assignment): Command;
}

/** All contenders, given Nightshift's entry. */
export function contenders(cli: string): Contender[] {
  return [
    nightshift("nightshift", cli, false),
    nightshift("nightshift on Redis", cli, true),
    peer(BASELINE, "openai-p-limit", false),
    peer("LangChain .batch", "langchain-batch", false),
    peer("BullMQ by hand", "bullmq-by-hand", true),
  ];
}

function nightshift(name: string, cli: string, needsRedis: boolean): Contender {
  return {
    name,
    needsRedis,
    command(assignment) {
      const job = join(assignment.directory, "job.yaml");
      const out = join(assignment.directory, "run");
      writeFileSync(job, jobFile(assignment));
      const redis = needsRedis ? ["--redis", assignment.redis] : [];
      return {
        args: [cli, "run", job, "--out", out, "--quiet", ...redis],
        env: { NIGHTSHIFT_BASE_URL: assignment.baseURL, NIGHTSHIFT_API_KEY: API_KEY },
        results: join(out, "results.jsonl"),
      };
    },
  };
}

/** JSON is YAML too. */
function jobFile({ input, concurrency }: Assignment): string {
  return JSON.stringify({
    name: "bench",
    input,
    model: MODEL,
    messages: [
      { role: "system", content: SYSTEM },
      { role: "user", content: `${QUESTION}{{ text }}` },
    ],
    params: PARAMS,
    id: "{{ id }}",
    limits: { concurrency },
  });
}

function peer(name: string, script: string, needsRedis: boolean): Contender {
  return {
    name,
    needsRedis,
    command(assignment) {
      const results = join(assignment.directory, "output.jsonl");
      const flags = {
        input: assignment.input,
        out: results,
        "base-url": assignment.baseURL,
        concurrency: String(assignment.concurrency),
        ...(needsRedis && { redis: assignment.redis }),
      };
      return {
        args: [
          join(import.meta.dirname, `../dist/peers/${script}.js`),
          ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
        ],
        env: {},
        results,
      };
    },
  };
}
