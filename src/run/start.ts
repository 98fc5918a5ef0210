import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";

import { UsageError } from "../errors.ts";
import { isJobFile, loadJob, parseJob } from "../job/load.ts";
import { type JobOverrides, nameOfInput, resolveJob } from "../job/resolve.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import type { JobFile } from "../job/schema.ts";
import { readManifest } from "../ledger/manifest.ts";
import type { Condition } from "../ledger/select.ts";
import type { MetricsAddress } from "../metrics/http-server.ts";
import { shellWord } from "../shell-word.ts";
import { systemClock } from "../system/clock.ts";
import {
  type Environment,
  readEnvironment,
  resolveAccess,
  resolveBaseUrl,
  resolveRedis,
} from "../system/env.ts";
import type { LogLevel } from "../system/log.ts";
import { systemRandom } from "../system/random.ts";
import { hasBudget } from "./budget/check.ts";
import type { RunEvent, RunResult } from "./events.ts";
import { checkConditions } from "./retry-conditions.ts";
import { jobOfRun, retryRun } from "./retry.ts";
import { runJob } from "./run.ts";
import type { RunOrder } from "./scene.ts";

/** How to run a job. Everything is optional. */
export interface RunOptions {
  /** Settings that beat the job file's, as the flags of `nightshift run` do. */
  readonly overrides?: JobOverrides;
  /** Address of the gateway. @default NIGHTSHIFT_BASE_URL, else `https://1688token.ai/v1` */
  readonly baseUrl?: string;
  /** Key for that address. @default NIGHTSHIFT_API_KEY */
  readonly apiKey?: string;
  /** Address of a shared Redis or Valkey. @default NIGHTSHIFT_REDIS_URL, else an embedded Valkey */
  readonly redis?: string;
  /** Start afresh even where an unfinished run could be continued. @default false */
  readonly fresh?: boolean;
  /** False only enqueues and records, and leaves the calling to workers. Needs a Redis. @default true */
  readonly works?: boolean;
  /** Where to serve `/healthz`, `/readyz` and Prometheus `/metrics`. @default nowhere */
  readonly metrics?: MetricsAddress;
  /** What `run.log` holds. @default "info" */
  readonly logLevel?: LogLevel;
  /** Where `runs/` lies. @default the process's working directory */
  readonly workingDirectory?: string;
  /** Told what happens, as it happens. It must not throw. */
  readonly onEvent?: (event: RunEvent) => void;
  /** Abort it to stop: what is in flight is finished and recorded first. */
  readonly signal?: AbortSignal;
  /** Abort it to stop at once: calls in flight are broken off. */
  readonly killSignal?: AbortSignal;
  /** @default the process's environment */
  readonly environment?: Environment;
}

/**
 * Runs a job over its input and writes every answer, exactly once, into a run directory. The same
 * call on an unfinished run directory continues it.
 *
 * @param job a job file's path, an input's path, or a job made with {@link defineJob}.
 * @returns how it ended: finished, or stopped with a reason and what to do about it.
 * @throws UsageError when the job, its input or its directory are at fault: nothing was called.
 * @example
 * const result = await run("jobs/reviews.yaml", { onEvent: (event) => console.log(event) });
 * console.log(result.usage.cost_usd, result.files.output);
 */
export async function run(job: string | JobFile, options: RunOptions = {}): Promise<RunResult> {
  return runJob(orderOf(await resolveTarget(job, options.overrides ?? {}), options));
}

/**
 * Asks the failed items of a finished run again, alone; each keeps its old error until it completes.
 *
 * @param directory a run directory.
 * @param conditions which failed items: those that meet all; none means every one.
 * @throws UsageError when the directory holds no run, or its input is no longer the same.
 * @example
 * await retry("runs/reviews-20260102T020000Z", [{ field: "code", value: "timeout" }]);
 */
export async function retry(
  directory: string,
  conditions: readonly Condition[] = [],
  options: RunOptions = {},
): Promise<RunResult> {
  checkConditions(conditions);
  const path = resolve(options.workingDirectory ?? process.cwd(), directory);
  const job = await jobOfRun(path, options.overrides ?? {});
  return retryRun(orderOf(job, options), path, conditions);
}

/** A job in code, checked by the compiler; its paths are relative to the working directory. */
export function defineJob(job: JobFile): JobFile {
  return job;
}

/** Reads what a command names: a job file, or an input that flags make a job of. */
export async function resolveTarget(
  target: string | JobFile,
  overrides: JobOverrides,
): Promise<ResolvedJob> {
  if (typeof target !== "string") {
    const job = parseJob(target, () => "the job");
    return resolveJob(job, overrides, "the job");
  }
  await refuseDirectory(target);
  if (isJobFile(target)) {
    const { job, where } = await loadJob(target);
    return resolveJob(job, overrides, where);
  }
  return resolveJob({ name: nameOfInput(target), input: target }, overrides, null);
}

async function refuseDirectory(path: string): Promise<void> {
  const isDirectory = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isDirectory) return;
  const word = shellWord(path);
  const isRun = (await readManifest(path).catch(() => null)) !== null;
  throw new UsageError(
    isRun
      ? `${path} is a run directory: \`nightshift retry ${word}\` asks its failed items again, ` +
          `\`nightshift status ${word}\` shows it. What goes on with it is the command that began it.`
      : `${path} is a directory: name a file in it, or a pattern such as '${join(path, "*.csv")}' in quotes.`,
  );
}

/** A job with everything that its run needs of the world. */
export function orderOf(job: ResolvedJob, options: RunOptions): RunOrder {
  const environment = options.environment ?? readEnvironment();
  const never = new AbortController().signal;
  const redis = resolveRedis(environment, options.redis ?? null);
  const works = options.works ?? true;
  if (!works && redis === null) {
    throw new UsageError(
      "--no-worker leaves the calling to workers on a shared Redis, but there is none: " +
        "add --redis redis://host:6379 (or set NIGHTSHIFT_REDIS_URL).",
    );
  }
  if (!works && hasBudget(job)) {
    throw new UsageError(
      "--no-worker leaves the calling to workers, but a budget is kept by the process that runs the job: " +
        "leave --no-worker out, or the budget (limits.budget, --budget-…).",
    );
  }
  const known =
    options.apiKey === undefined
      ? environment
      : { ...environment, nightshiftApiKey: options.apiKey };
  const baseUrl = options.baseUrl ?? null;
  // Whoever only records calls nobody, and needs no key.
  const access = works
    ? resolveAccess(known, baseUrl)
    : { baseUrl: resolveBaseUrl(known, baseUrl), apiKey: "" };
  return {
    job,
    access,
    proxy: environment.proxy,
    redis,
    works,
    fresh: options.fresh ?? false,
    firing: null,
    metrics: options.metrics ?? null,
    webhookUrl: environment.webhookUrl,
    webhookSecret: environment.webhookSecret,
    logLevel: options.logLevel ?? "info",
    stateDirectory: environment.stateDirectory,
    workingDirectory: options.workingDirectory ?? process.cwd(),
    stdin: process.stdin,
    clock: systemClock,
    random: systemRandom,
    onEvent: options.onEvent ?? (() => {}),
    signal: options.signal ?? never,
    killSignal: options.killSignal ?? never,
  };
}
