import { messageOf, UsageError } from "../errors.ts";
import { identityOf } from "../job/identity.ts";
import { loadPriceList } from "../job/pricing.ts";
import { ensureDirectory } from "../ledger/files.ts";
import { lockDirectory } from "../ledger/lock.ts";
import { readManifest } from "../ledger/manifest.ts";
import { checkPrices } from "./budget/check.ts";
import { conduct } from "./conduct.ts";
import { chooseDirectory, newRunId } from "./directory.ts";
import type { RunResult } from "./events.ts";
import { newManifest, runToContinue } from "./life.ts";
import { scanInput } from "./scan-input.ts";
import type { RunOrder } from "./scene.ts";
import { withQueue } from "./with-queue.ts";

/**
 * Runs a job over its input, or continues where an earlier sitting stopped.
 *
 * @returns how it ended: finished, or stopped with a reason and what to do about it.
 * @throws UsageError when the job, its input or its directory are at fault: nothing was called.
 */
export function runJob(order: RunOrder): Promise<RunResult> {
  const { job, clock } = order;
  return withQueue(order, async ({ server, metrics, closers }) => {
    const pricesLoading = loadPriceList(job.pricing);
    const scan = await scanInput(job, order.signal);
    const runId = newRunId(job.name, clock.now(), order.random);
    const chosen = await chooseDirectory({
      ...order,
      runId,
      items: scan.items,
      identity: identityOf(job, scan.sha256),
      now: clock.now(),
    });
    const earlier = await runToContinue(chosen.path, chosen.manifest, job, scan);
    const prices = await pricesLoading;
    prices.learn(earlier?.gateway_prices ?? {});
    checkPrices(job, scan.models, prices);
    // Before anything is written: a Redis that does not answer must leave nothing behind.
    const { connection, prefix } = await server;

    await prepareDirectory(chosen.path);
    const lock = await lockDirectory(chosen.path, clock);
    closers.add(() => lock.release());
    // Read again under the lock: another process may have worked on it until just now.
    const found = await runToContinue(chosen.path, await readManifest(chosen.path), job, scan);
    const manifest = found ?? newManifest(order, runId, scan);
    const scene = {
      order,
      scan,
      prices,
      directory: chosen.path,
      connection,
      prefix,
      metrics,
      closers,
    };
    return conduct(scene, manifest, { kind: "pending" });
  });
}

async function prepareDirectory(directory: string): Promise<void> {
  try {
    await ensureDirectory(directory);
  } catch (error) {
    throw new UsageError(
      `${directory} cannot be made: ${messageOf(error)}. Choose another directory with --out.`,
      { cause: error },
    );
  }
}
