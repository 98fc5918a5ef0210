import { rm } from "node:fs/promises";
import { relative } from "node:path";

import { messageOf, UsageError } from "../errors.ts";
import { identityOf } from "../job/identity.ts";
import { loadPriceList } from "../job/pricing.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import { ensureDirectory } from "../ledger/files.ts";
import { lockDirectory } from "../ledger/lock.ts";
import { type Manifest, readManifest } from "../ledger/manifest.ts";
import { shellWord } from "../shell-word.ts";
import { bindInput, keepSpool } from "./bind-input.ts";
import { checkPrices } from "./budget/check.ts";
import { conduct } from "./conduct.ts";
import { chooseDirectory, newRunId } from "./directory.ts";
import type { RunResult } from "./events.ts";
import { newManifest, runToContinue } from "./life.ts";
import { noteResult, sendNotices } from "./notify.ts";
import { type InputScan, lastModified, scanInput } from "./scan-input.ts";
import type { RunOrder } from "./scene.ts";
import { withQueue } from "./with-queue.ts";

/**
 * Runs a job over its input, or continues where an earlier sitting stopped.
 *
 * @returns how it ended: finished, or stopped with a reason and what to do about it.
 * @throws UsageError when the job, its input or its directory are at fault: nothing was called.
 */
export async function runJob(written: RunOrder): Promise<RunResult> {
  // What earlier runs could not tell.
  void tell(written);
  const result = await sitDown(written);
  const { job, firing, onEvent } = written;
  try {
    await noteResult(job, firing?.tick ?? null, result, written);
  } catch (error) {
    onEvent({ event: "warning", message: `nobody will be told: ${messageOf(error)}` });
  }
  // Nobody waits for a receiver: what it does not take is there for the next process.
  void tell(written);
  return result;
}

async function tell(order: RunOrder): Promise<void> {
  const problems = await sendNotices(order).catch((error: unknown) => [messageOf(error)]);
  for (const message of problems) order.onEvent({ event: "warning", message });
}

function sitDown(written: RunOrder): Promise<RunResult> {
  const { clock } = written;
  return withQueue(written, async ({ server, metrics, closers }) => {
    const now = written.firing?.tick ?? clock.now();
    const former = written.firing?.inputs ?? null;
    const { job, spool } =
      former === null
        ? await bindInput(written.job, { ...written, now })
        : { job: { ...written.job, inputs: former }, spool: null };
    if (spool !== null) closers.add(() => rm(spool, { force: true }));
    const order = { ...written, job };
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
    const { order: kept, scan: keptScan } = await keepInput(order, scan, spool, chosen.path, found);
    const manifest = found ?? newManifest(kept, runId, keptScan);
    if (chosen.repeats !== undefined && !job.incremental) {
      order.onEvent({ event: "warning", message: askedBefore(chosen.repeats, keptScan.items) });
    }
    const scene = {
      order: kept,
      scan: keptScan,
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

/** Nothing is bought again unsaid. */
function askedBefore(directory: string, items: number): string {
  const place = relative(process.cwd(), directory);
  return (
    `${place} has finished with the same questions: this is a new run, which asks all ${items} again. ` +
    `(\`nightshift retry ${shellWord(place)}\` asks only what failed there; --incremental carries answers over.)`
  );
}

/** Keeps a copy of standard input in the run's directory; a run that is continued has its own. */
async function keepInput(
  order: RunOrder,
  scan: InputScan,
  spool: string | null,
  directory: string,
  found: Manifest | null,
): Promise<{ order: RunOrder; scan: InputScan }> {
  if (spool === null) return { order, scan };
  // Written by us from a ResolvedJob.
  const before = found?.job["inputs"] as ResolvedJob["inputs"] | undefined;
  const inputs = before ?? [await keepSpool(spool, directory)];
  const job = { ...order.job, inputs };
  return { order: { ...order, job }, scan: { ...scan, modified: await lastModified(inputs) } };
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
