import { join } from "node:path";

import { messageOf, RunStopped, UsageError } from "../errors.ts";
import { FILES, replaceJson } from "../ledger/files.ts";
import { Ledger } from "../ledger/ledger.ts";
import { type Manifest, workedMs } from "../ledger/manifest.ts";
import { type Condition, failedAmong, pendingAmong } from "../ledger/select.ts";
import type { UsageReport } from "../ledger/usage.ts";
import { openLog } from "../system/log.ts";
import { asRunStopped } from "./as-run-stopped.ts";
import type { RunResult } from "./events.ts";
import { beginSitting, endSitting } from "./life.ts";
import type { Scene } from "./scene.ts";
import { work } from "./work.ts";
import { writeOutput } from "./write-output.ts";

/** Which items a sitting is about. */
export type Selection =
  | { readonly kind: "pending" }
  /** Failed items, to be asked again. */
  | { readonly kind: "failed"; readonly where: readonly Condition[] };

/** Sits down to a run: brings the selected items to their outcomes and writes what comes of it. */
export async function conduct(
  scene: Scene,
  found: Manifest,
  selection: Selection,
): Promise<RunResult> {
  const { order, scan, prices, directory, closers } = scene;
  const ledger = await Ledger.open(directory, found.run_id, (model, usage) =>
    prices.cost(model, usage),
  );
  closers.add(() => ledger.close());

  const total = Math.max(scan.items, found.items ?? 0);
  if (ledger.items.end > total) {
    throw new UsageError(
      `${directory} holds an outcome of item ${ledger.items.end - 1}, but the run has only ${total} items. ` +
        "Nothing was called. `nightshift verify` names the line; restore the file from a backup.",
    );
  }
  const wanted =
    selection.kind === "pending"
      ? pendingAmong(ledger.items, scan.items)
      : await failedAmong(directory, found.run_id, ledger.items, selection.where);
  const { completed, failed } = ledger.items;
  order.onEvent({
    event: "started",
    run_id: found.run_id,
    directory,
    items: total,
    completed,
    failed,
    continued: found.sittings.length > 0,
  });
  // A retry without a matching item changes nothing, whatever state the run is in.
  if (wanted.size === 0 && (found.state === "finished" || selection.kind === "failed")) {
    return result(scene, found, ledger, { already: true });
  }

  const fileLog = openLog(join(directory, FILES.log), order.logLevel, { run: found.run_id });
  closers.add(() => fileLog.close());
  const { log } = fileLog;
  let manifest = await beginSitting(scene, found, total, selection.kind);
  log.info(
    { event: "run.started", items: total, completed, failed, wanted: wanted.size },
    "started",
  );

  const stop = wanted.size === 0 ? null : await work({ scene, manifest, ledger, wanted, log });
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
    const pending = (manifest.items ?? 0) - ledger.items.completed - ledger.items.failed;
    if (pending === 0) return null;
    return new RunStopped(
      "paused",
      `${pending} items have not been asked yet`,
      "`nightshift run` with the same job asks them.",
    );
  } catch (error) {
    const { reason, message, remedy } = asRunStopped(error);
    return new RunStopped(reason, `the output was not written: ${message}`, remedy, error);
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
