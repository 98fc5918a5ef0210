import { basename, resolve } from "node:path";

import { UsageError } from "../errors.ts";
import { columnReference } from "./column.ts";
import { parseDuration } from "./duration.ts";
import { NOTICES } from "./notify-schema.ts";
import type { BudgetLimits, ResolvedJob } from "./resolved-job.ts";
import {
  type Delimiter,
  type JobFile,
  type Json,
  type MessageTemplate,
  misplacedParam,
} from "./schema.ts";

/** What flags can say; each beats the job file. Only what was given is present. */
export interface JobOverrides {
  readonly out?: string;
  readonly model?: string;
  /** Template of the user message. */
  readonly prompt?: string;
  /** Template of the system message. */
  readonly system?: string;
  readonly params?: Readonly<Record<string, Json>>;
  /** A column to take custom_ids from. */
  readonly idColumn?: string;
  readonly encoding?: string;
  readonly delimiter?: Delimiter;
  readonly csvBom?: boolean;
  readonly csvSafe?: boolean;
  readonly concurrency?: number;
  readonly rpm?: number;
  readonly tpm?: number;
  readonly budgetUsd?: number;
  readonly budgetTokens?: number;
  readonly budgetRequests?: number;
  readonly attempts?: number;
  readonly timeout?: string;
  readonly maxOutage?: string;
  readonly stream?: boolean;
  readonly dedupe?: boolean;
  readonly incremental?: boolean;
  readonly first?: number;
}

const DEFAULTS = {
  concurrency: 64,
  attempts: 6,
  timeout: "60s",
  maxOutage: "24h",
} as const;

const NO_BUDGET: BudgetLimits = { usd: null, tokens: null, requests: null };

/**
 * Merges flags over the job file over defaults: the one place where a setting gets its value.
 *
 * @param job paths already absolute.
 * @param where the job file, for messages; null when there is none.
 * @throws UsageError for a value that is out of its range.
 */
export function resolveJob(
  job: JobFile,
  overrides: JobOverrides,
  where: string | null,
): ResolvedJob {
  const input = job.input === "-" ? "-" : resolve(job.input);
  const written: ResolvedJob = {
    name: job.name ?? nameOfInput(job.input),
    where: where ?? "the command line",
    input,
    inputs: [input],
    model: job.model ?? null,
    messages: job.messages ?? null,
    params: job.params ?? {},
    id: job.id ?? null,
    concurrency: job.limits?.concurrency ?? DEFAULTS.concurrency,
    rpm: job.limits?.rpm ?? null,
    tpm: job.limits?.tpm ?? null,
    budget: { ...NO_BUDGET, ...job.limits?.budget },
    attempts: job.retry?.attempts ?? DEFAULTS.attempts,
    timeoutMs: duration("timeout", job.timeout ?? DEFAULTS.timeout),
    maxOutageMs: duration("max_outage", job.max_outage ?? DEFAULTS.maxOutage),
    stream: job.stream ?? false,
    onLength: job.on_length ?? "keep",
    dedupe: job.dedupe ?? false,
    incremental: job.incremental ?? false,
    out: job.out ?? null,
    encoding: job.encoding ?? null,
    delimiter: job.delimiter ?? null,
    csvBom: job.csv_bom ?? false,
    csvSafe: job.csv_safe ?? false,
    first: null,
    pricing: job.pricing ?? null,
    timeZone: job.schedule?.tz ?? null,
    notify:
      job.notify === undefined
        ? null
        : { webhook: job.notify.webhook ?? null, on: job.notify.on ?? NOTICES },
  };
  return overrideJob(written, overrides);
}

/**
 * A resolved job with some settings replaced.
 *
 * @throws UsageError for a value that is out of its range.
 */
export function overrideJob(job: ResolvedJob, overrides: JobOverrides): ResolvedJob {
  const {
    timeout,
    maxOutage,
    params,
    prompt: _prompt,
    system: _system,
    idColumn,
    out,
    budgetUsd,
    budgetTokens,
    budgetRequests,
    ...same
  } = overrides;
  const changed = {
    ...job,
    ...same,
    // A run directory of an earlier version says nothing of a budget.
    budget: {
      ...NO_BUDGET,
      ...job.budget,
      ...(budgetUsd !== undefined && { usd: budgetUsd }),
      ...(budgetTokens !== undefined && { tokens: budgetTokens }),
      ...(budgetRequests !== undefined && { requests: budgetRequests }),
    },
    out: out === undefined ? job.out : resolve(out),
    params: { ...job.params, ...params },
    messages: resolveMessages(job.messages, overrides),
    id: idColumn === undefined ? job.id : columnReference(idColumn),
    timeoutMs: timeout === undefined ? job.timeoutMs : duration("timeout", timeout),
    maxOutageMs: maxOutage === undefined ? job.maxOutageMs : duration("max_outage", maxOutage),
  };
  for (const name of Object.keys(params ?? {})) {
    const misplaced = misplacedParam(name);
    if (misplaced !== null) throw new UsageError(`param \`${name}\` ${misplaced}`);
  }
  if (out?.trim() === "") throw new UsageError("out: it is empty: write the path of a directory");
  checkRange("concurrency", changed.concurrency, 10_000);
  checkRange("attempts", changed.attempts, 1_000);
  if (changed.first !== null) checkRange("first", changed.first, Number.MAX_SAFE_INTEGER);
  const { usd, tokens, requests } = changed.budget;
  if (usd !== null && !(Number.isFinite(usd) && usd > 0)) {
    throw new UsageError(`budget.usd: ${usd} is no number above 0`);
  }
  if (tokens !== null) checkRange("budget.tokens", tokens, Number.MAX_SAFE_INTEGER);
  if (requests !== null) checkRange("budget.requests", requests, Number.MAX_SAFE_INTEGER);
  return changed;
}

function checkRange(name: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return;
  throw new UsageError(`${name}: ${value} is no whole number from 1 to ${most}`);
}

/** A job name from an input's path: `data/my reviews.csv.gz` becomes `my-reviews`. */
export function nameOfInput(path: string): string {
  const stem = basename(path)
    .replace(/\.gz$/i, "")
    .replace(/\.[^.]+$/, "");
  return stem.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-").replaceAll(/^[._-]+|[._-]+$/g, "") || "job";
}

function duration(name: string, value: string | number): number {
  const ms = parseDuration(value);
  if (ms !== null) return ms;
  throw new UsageError(`${name}: ${JSON.stringify(value)} is no duration: write 60s, 10m or 24h`);
}

function resolveMessages(
  messages: readonly MessageTemplate[] | null,
  { prompt, system }: Pick<JobOverrides, "prompt" | "system">,
): readonly MessageTemplate[] | null {
  const isSystem = ({ role }: MessageTemplate): boolean =>
    role === "system" || role === "developer";
  let resolved = messages;
  if (prompt !== undefined) {
    resolved = [...(messages ?? []).filter(isSystem), { role: "user", content: prompt }];
  }
  if (system !== undefined) {
    resolved = [
      { role: "system", content: system },
      ...(resolved ?? []).filter((message) => !isSystem(message)),
    ];
  }
  return resolved;
}
