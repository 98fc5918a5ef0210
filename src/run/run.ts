import { join } from "node:path";

import { messageOf, RunStopped, UsageError } from "../errors.ts";
import { loadPriceList } from "../job/pricing.ts";
import { ensureDirectory, FILES, replaceJson } from "../ledger/files.ts";
import { Ledger } from "../ledger/ledger.ts";
import { type DirectoryLock, lockDirectory } from "../ledger/lock.ts";
import { type Manifest, readManifest, workedMs } from "../ledger/manifest.ts";
import type { UsageReport } from "../ledger/usage.ts";
import { startQueueServer } from "../queue/server.ts";
import { openLog } from "../system/log.ts";
import { Closers } from "./closers.ts";
import { chooseDirectory, newRunId } from "./directory.ts";
import type { RunResult } from "./events.ts";
import { beginSitting, checkIdentity, endSitting, newManifest } from "./life.ts";
import { scanInput } from "./scan-input.ts";
import type { RunOrder, Scene } from "./scene.ts";
import { work } from "./work.ts";
import { writeOutput } from "./write-output.ts";

/**
 * Runs a job over its input, or continues where an earlier sitting stopped.
 *
 * @returns how it ended: finished, or stopped with a reason and what to do about it.
 * @throws UsageError when the job, its input or its directory are at fault: nothing was called.
 */
export async function runJob(order: RunOrder): Promise<RunResult> {
  const { job, clock, signal } = order;
  // The scan takes a while: the queue's server and the prices get ready beside it.
  const server = startQueueServer(order.redis);
  const closers = new Closers();
  closers.add(async () => (await server).close());
  server.catch(() => {});
  try {
    const pricesLoading = loadPriceList(job.pricing);
    const scan = await scanInput(job, signal);
    const runId = newRunId(job.name, clock.now(), order.random);
    const chosen = await chooseDirectory({ ...order, runId, items: scan.items, now: clock.now() });
    checkIdentity(chosen.path, chosen.manifest, job, scan);
    const prices = await pricesLoading;

    await prepareDirectory(chosen.path);
    const lock: DirectoryLock = await lockDirectory(chosen.path, clock);
    closers.add(() => lock.release());
    // Read again under the lock: another process may have worked on it until just now.
    const manifest = (await readManifest(chosen.path)) ?? newManifest(order, runId, scan);
    const { connection } = await server;
    return await sitDown({ order, scan, prices, directory: chosen.path, closers }, manifest, {
      connection,
      continued: chosen.manifest !== null,
    });
  } catch (error) {
    throw error === signal.reason ? interruptedEarly(error) : error;
  } finally {
    await closers.close();
  }
}

async function sitDown(
  scene: Scene,
  found: Manifest,
  { connection, continued }: { connection: Parameters<typeof work>[3]; continued: boolean },
): Promise<RunResult> {
  const { order, scan, prices, directory, closers } = scene;
  const ledger = await Ledger.open(directory, found.run_id, (model, usage) =>
    prices.cost(model, usage),
  );
  closers.add(() => ledger.close());

  const total = Math.max(scan.items, found.items ?? 0);
  if (ledger.items.completed + ledger.items.failed >= total && found.state === "finished") {
    return result(scene, found, ledger, { already: true });
  }

  const fileLog = openLog(join(directory, FILES.log), order.logLevel, { run: found.run_id });
  closers.add(() => fileLog.close());
  const { log } = fileLog;
  let manifest = await beginSitting(scene, found, total);
  log.info({ event: "run.started", items: total, completed: ledger.items.completed }, "run started");
  order.onEvent({
    event: "started",
    run_id: manifest.run_id,
    directory,
    items: total,
    completed: ledger.items.completed,
    failed: ledger.items.failed,
    continued,
  });

  const isDone = ledger.items.completed + ledger.items.failed >= total;
  const stop = isDone ? null : await work(scene, manifest, ledger, connection, log);
  if (stop !== null) {
    log.warn({ event: "run.stopped", reason: stop.reason, err: stop }, stop.message);
    manifest = await endSitting(scene, manifest, stop);
    return result(scene, manifest, ledger, { already: false });
  }
  const unwritten = await finish(scene, manifest, ledger);
  manifest = await endSitting(scene, manifest, unwritten);
  const ended = await result(scene, manifest, ledger, { already: false });
  log.info({ event: "run.finished", items: ended.usage.items }, "run finished");
  return ended;
}

/** Leaves one line per item in the ledger and writes the joined output; a stop when it cannot. */
async function finish(
  scene: Scene,
  manifest: Manifest,
  ledger: Ledger,
): Promise<RunStopped | null> {
  try {
    await ledger.settle();
    await writeOutput(scene, manifest, ledger.items);
    return null;
  } catch (error) {
    const [reason, remedy] =
      error instanceof UsageError
        ? (["input", "Restore the input, then run the same command again."] as const)
        : (["disk", "Make room or mend the disk, then run the same command again."] as const);
    return new RunStopped(
      reason,
      `every item has its outcome, but the output was not written: ${messageOf(error)}`,
      remedy,
      error,
    );
  }
}

async function result(
  scene: Scene,
  manifest: Manifest,
  ledger: Ledger,
  { already }: { already: boolean },
): Promise<RunResult> {
  const { directory, order, prices } = scene;
  const usage: UsageReport = ledger.usage.report({
    total: manifest.items,
    completed: ledger.items.completed,
    failed: ledger.items.failed,
    wallMs: workedMs(manifest, order.clock.now()),
  });
  const usageFile = join(directory, FILES.usage);
  try {
    if (!already) await replaceJson(usageFile, usage);
  } catch (error) {
    // The ledger is safe and usage.json is made from it at any time: a full disk may cost it.
    order.onEvent({ event: "warning", message: `usage.json was not written: ${messageOf(error)}` });
  }
  const state = manifest.state === "running" ? "paused" : manifest.state;
  return {
    run_id: manifest.run_id,
    directory,
    state,
    reason: manifest.reason,
    already_finished: already,
    usage,
    files: {
      output: state === "finished" ? join(directory, manifest.output) : null,
      results: join(directory, FILES.results),
      errors: join(directory, FILES.errors),
      usage: usageFile,
    },
    price_sources: Object.fromEntries(
      Object.keys(usage.models).map((model) => [model, prices.source(model)]),
    ),
  };
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

/** Before the first call there is nothing to resume: a stop is all there is to say. */
function interruptedEarly(error: unknown): unknown {
  return error instanceof RunStopped
    ? error
    : new RunStopped("interrupted", "stopped before the first call", "Run the same command again.");
}
