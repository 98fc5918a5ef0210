import { UsageError } from "../errors.ts";
import { loadPriceList } from "../job/pricing.ts";
import { type JobOverrides, overrideJob } from "../job/resolve.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import { lockDirectory } from "../ledger/lock.ts";
import { requireManifest } from "../ledger/manifest.ts";
import type { Condition } from "../ledger/select.ts";
import { checkPrices } from "./budget/check.ts";
import { conduct } from "./conduct.ts";
import type { RunResult } from "./events.ts";
import { scanInput } from "./scan-input.ts";
import type { RunOrder } from "./scene.ts";
import { withQueue } from "./with-queue.ts";

/**
 * Asks the failed items of a run again, alone. Each old error stays until its item completes.
 *
 * @param order its job is the run's own, with what was changed for this time.
 * @param conditions which failed items: those that meet all; none means every one.
 * @throws UsageError when the directory holds no run, or its input is no longer the same.
 */
export function retryRun(
  order: RunOrder,
  directory: string,
  conditions: readonly Condition[],
): Promise<RunResult> {
  const { job, clock } = order;
  return withQueue(order, async ({ server, metrics, closers }) => {
    const prices = await loadPriceList(job.pricing);
    const scan = await scanInput(job, order.signal);
    const lock = await lockDirectory(directory, clock);
    closers.add(() => lock.release());
    const manifest = await requireManifest(directory);
    prices.learn(manifest.gateway_prices ?? {});
    checkPrices(job, scan.models, prices);
    if (scan.sha256 !== manifest.input.sha256) {
      throw new UsageError(
        `${job.input} is no longer the input of this run (its content has changed): ` +
          "its items could not be told apart. Restore it, then try again.",
      );
    }
    const items = manifest.items ?? scan.items;
    const { connection, prefix } = await server;
    const scene = {
      order,
      scan: { ...scan, items },
      prices,
      directory,
      connection,
      prefix,
      metrics,
      closers,
    };
    return conduct(scene, manifest, { kind: "failed", where: conditions });
  });
}

/** The job of a run directory with what is to be changed for this time. */
export async function jobOfRun(directory: string, overrides: JobOverrides): Promise<ResolvedJob> {
  const manifest = await requireManifest(directory);
  // Written by us from a ResolvedJob.
  const written = manifest.job as unknown as ResolvedJob;
  // A run of an earlier version knows one file only.
  const job = { ...written, inputs: written.inputs ?? [written.input] };
  return { ...overrideJob(job, overrides), first: null };
}
