import { createReadStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

import type { LedgerLine } from "../../../src/ledger/line.ts";
import type { Bench } from "../../harness/bench.ts";
import type { Contender } from "../../harness/contenders.ts";
import { type Measured, runWhole } from "../../harness/whole-process.ts";
import { API_KEY, MODEL, PARAMS, QUESTION, SYSTEM } from "../../peers/task.ts";

/** A job whose runs lie beside one another. */
export interface Nights {
  readonly bench: Bench;
  /** Base URL of its gateway. */
  readonly gateway: string;
  readonly directory: string;
  readonly job: string;
  readonly input: string;
}

/** A run's name below the job's directory, its flags and how many items it has. */
export interface Night {
  readonly name: string;
  readonly flags: readonly string[];
  readonly items: number;
}

export async function openNights(bench: Bench, gateway: string, name: string): Promise<Nights> {
  const directory = join(bench.directory, "reuse", name);
  const input = join(directory, "input.csv");
  const job = join(directory, "job.yaml");
  await mkdir(directory, { recursive: true });
  const fields = {
    name: "nightly",
    input,
    model: MODEL,
    messages: [
      { role: "system", content: SYSTEM },
      { role: "user", content: `${QUESTION}{{ text }}` },
    ],
    params: PARAMS,
    id: "{{ id }}",
    limits: { concurrency: bench.concurrency },
  };
  // JSON is YAML too.
  await writeFile(job, JSON.stringify(fields));
  return { bench, gateway, directory, job, input };
}

/** Writes one text a record. */
export async function writeTexts(path: string, texts: readonly string[]): Promise<void> {
  const rows = texts.map((text, index) => `r${index},${text}\n`);
  await writeFile(path, `id,text\n${rows.join("")}`);
}

/** A hundred bytes or so, unlike any other: the gateway repeats them within the tokens of an answer. */
export function textOf(name: string): string {
  return `${name} ${"it does what it should and no more than that ".repeat(2)}`.trim();
}

export function runDirectory({ directory }: Nights, { name }: Night): string {
  return join(directory, "runs", name);
}

/** The command line of a night. */
export function commandOf(nights: Nights, night: Night): string[] {
  const { bench, job } = nights;
  return [bench.cli, "run", job, "--out", runDirectory(nights, night), "--quiet", ...night.flags];
}

/** Runs a night to its end in a process of its own. */
export function runNight(nights: Nights, night: Night): Promise<Measured> {
  const contender: Contender = {
    name: "nightshift",
    needsRedis: false,
    command: () => ({
      args: commandOf(nights, night),
      env: { NIGHTSHIFT_BASE_URL: nights.gateway, NIGHTSHIFT_API_KEY: API_KEY },
      results: join(runDirectory(nights, night), "results.jsonl"),
    }),
  };
  return runWhole(contender, {
    input: nights.input,
    items: night.items,
    directory: join(nights.directory, "scratch"),
    baseURL: nights.gateway,
    concurrency: nights.bench.concurrency,
  });
}

/** How many items have no answer, or another one than the gateway's to their text, which it repeats. */
export async function wrongAnswers(results: string, texts: readonly string[]): Promise<number> {
  const missing = new Set(texts.keys());
  for await (const text of createInterface({ input: createReadStream(results) })) {
    // Written by Nightshift a moment ago.
    const { custom_id: id, response } = JSON.parse(text) as LedgerLine;
    const body = response?.body as { choices: { message: { content: string } }[] } | undefined;
    const index = Number(id.slice(1));
    const right = `echo: ${QUESTION}${texts[index] ?? ""}`;
    if (body?.choices[0]?.message.content === right) missing.delete(index);
  }
  return missing.size;
}
