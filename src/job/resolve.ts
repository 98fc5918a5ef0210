import { basename, resolve } from "node:path";

import { UsageError } from "../errors.ts";
import { columnReference } from "./column.ts";
import { parseDuration } from "./duration.ts";
import type { ResolvedJob } from "./resolved-job.ts";
import type { JobFile, Json, MessageTemplate } from "./schema.ts";

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
  readonly csvBom?: boolean;
  readonly csvSafe?: boolean;
  readonly concurrency?: number;
  readonly rpm?: number;
  readonly tpm?: number;
  readonly attempts?: number;
  readonly timeout?: string;
  readonly maxOutage?: string;
  readonly stream?: boolean;
  readonly first?: number;
}

const DEFAULTS = {
  concurrency: 64,
  attempts: 6,
  timeout: "60s",
  maxOutage: "24h",
} as const;

/**
 * Merges flags over the job file over defaults: the one place where a setting gets its value.
 *
 * @param job paths already absolute.
 * @param where the job file, for messages; null when there is none.
 * @throws UsageError for a value that is out of its range.
 */
export function resolveJob(job: JobFile, overrides: JobOverrides, where: string | null): ResolvedJob {
  const duration = (name: string, value: string | number): number => {
    const ms = parseDuration(value);
    if (ms !== null) return ms;
    throw new UsageError(`${name}: ${JSON.stringify(value)} is no duration: write 60s, 10m or 24h`);
  };
  return {
    name: job.name ?? nameOfInput(job.input),
    where: where ?? "the command line",
    input: resolve(job.input),
    model: overrides.model ?? job.model ?? null,
    messages: resolveMessages(job.messages ?? null, overrides),
    params: { ...job.params, ...overrides.params },
    id: overrides.idColumn !== undefined ? columnReference(overrides.idColumn) : (job.id ?? null),
    concurrency: overrides.concurrency ?? job.limits?.concurrency ?? DEFAULTS.concurrency,
    rpm: overrides.rpm ?? job.limits?.rpm ?? null,
    tpm: overrides.tpm ?? job.limits?.tpm ?? null,
    attempts: overrides.attempts ?? job.retry?.attempts ?? DEFAULTS.attempts,
    timeoutMs: duration("timeout", overrides.timeout ?? job.timeout ?? DEFAULTS.timeout),
    maxOutageMs: duration("max_outage", overrides.maxOutage ?? job.max_outage ?? DEFAULTS.maxOutage),
    stream: overrides.stream ?? job.stream ?? false,
    onLength: job.on_length ?? "keep",
    out: overrides.out !== undefined ? resolve(overrides.out) : (job.out ?? null),
    encoding: overrides.encoding ?? job.encoding ?? null,
    csvBom: overrides.csvBom ?? job.csv_bom ?? false,
    csvSafe: overrides.csvSafe ?? job.csv_safe ?? false,
    first: overrides.first ?? null,
    pricing: job.pricing ?? null,
    timeZone: job.schedule?.tz ?? null,
  };
}

/** A job name from an input's path: `data/my reviews.csv.gz` becomes `my-reviews`. */
export function nameOfInput(path: string): string {
  const stem = basename(path)
    .replace(/\.gz$/i, "")
    .replace(/\.[^.]+$/, "");
  return stem.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-").replaceAll(/^[._-]+|[._-]+$/g, "") || "job";
}

function resolveMessages(
  messages: readonly MessageTemplate[] | null,
  { prompt, system }: JobOverrides,
): readonly MessageTemplate[] | null {
  const isSystem = ({ role }: MessageTemplate): boolean => role === "system" || role === "developer";
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
