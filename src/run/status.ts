import { resolve } from "node:path";

import { loadPriceList } from "../job/pricing.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import type { Pricing } from "../job/schema.ts";
import { readUnrecorded } from "../ledger/budget-log.ts";
import { findHolder, type LockHolder } from "../ledger/lock.ts";
import { type Manifest, requireManifest, workedMs } from "../ledger/manifest.ts";
import { readLedger } from "../ledger/read.ts";
import type { UsageReport } from "../ledger/usage.ts";
import type { Clock } from "../system/clock.ts";
import { adviceFor, retryCommand } from "./advice.ts";
import { type BudgetReport, pricesFor, reportBudget } from "./budget/report.ts";
import { listRuns } from "./directory.ts";
import { closedSittings } from "./life.ts";

/** Failed items with one cause, and what to do about them. */
export interface ErrorCause {
  readonly cause: string;
  readonly class: string;
  readonly count: number;
  readonly example: { readonly custom_id: string; readonly message: string };
  readonly advice: string;
  /** The command that runs exactly these again. */
  readonly retry: string;
}

/** Where a run stands, read from its directory alone. */
export interface RunStatus {
  readonly directory: string;
  readonly run_id: string;
  readonly job: string;
  /** `interrupted`: it was running when its process died; the same command continues it. */
  readonly state: Manifest["state"] | "interrupted";
  readonly reason: Manifest["reason"];
  readonly input: string;
  /** Records in the whole input; the run may be about the first of them alone. */
  readonly records: number | null;
  readonly models: readonly string[];
  readonly items: UsageReport["items"];
  readonly created_at: string;
  readonly updated_at: string;
  /** The process that works on it just now. */
  readonly in_use_by: LockHolder | null;
  readonly usage: UsageReport;
  /** Null where nothing limits what the run may spend. */
  readonly budget: BudgetReport | null;
  readonly errors: readonly ErrorCause[];
  readonly price_sources: Readonly<Record<string, string | null>>;
}

/** @throws UsageError when the directory holds no run. */
export async function readStatus(directory: string, clock: Clock): Promise<RunStatus> {
  const manifest = await requireManifest(directory);
  const holder = await findHolder(directory, clock);
  const pricing = (manifest.job["pricing"] ?? null) as Pricing | null;
  const prices = await loadPriceList(pricing);
  prices.learn(manifest.gateway_prices ?? {});
  // Written by us from a ResolvedJob.
  const params = manifest.job["params"] as ResolvedJob["params"];
  const ledger = await readLedger(directory, manifest.run_id, prices.cost);
  const isGone = manifest.state === "running" && holder === null;
  const sittings = isGone ? await closedSittings(directory, manifest) : manifest.sittings;
  const usage = ledger.usage.report({
    total: manifest.items,
    completed: ledger.items.completed,
    failed: ledger.items.failed,
    wallMs: workedMs({ ...manifest, sittings }, clock.now()),
    vanished: manifest.vanished,
  });
  return {
    directory: resolve(directory),
    run_id: manifest.run_id,
    job: String(manifest.job["name"]),
    state: isGone ? "interrupted" : manifest.state,
    reason: manifest.reason,
    input: manifest.input.path,
    records: manifest.input.records,
    models: Object.keys(usage.models),
    items: usage.items,
    created_at: manifest.created_at,
    updated_at: manifest.updated_at,
    in_use_by: holder,
    usage,
    budget: reportBudget({
      // Written by us from a ResolvedJob.
      limits: manifest.job["budget"] as ResolvedJob["budget"] | undefined,
      usage,
      unrecorded: readUnrecorded(directory, manifest.run_id, ledger.items),
      usdOf: pricesFor(prices.cost, [String(manifest.job["model"])]),
    }),
    errors: ledger.errors.map(({ code, class: kind, count, example }) => ({
      cause: code,
      class: kind,
      count,
      example,
      advice: adviceFor(code, kind),
      retry: retryCommand(directory, code, params),
    })),
    price_sources: Object.fromEntries(
      Object.keys(usage.models).map((model) => [model, prices.source(model)]),
    ),
  };
}

/** Every run below a directory, newest first. */
export async function readAllStatus(directory: string, clock: Clock): Promise<RunStatus[]> {
  const runs = await listRuns(directory);
  return Promise.all(runs.map(({ path }) => readStatus(path, clock)));
}
