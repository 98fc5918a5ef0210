import { dirname, join } from "node:path";

import { messageOf, RunStopped, UsageError } from "../errors.ts";
import { readUnrecorded } from "../ledger/budget-log.ts";
import { FILES, replaceJson } from "../ledger/files.ts";
import { Ledger, type RequestOf } from "../ledger/ledger.ts";
import { type Manifest, workedMs } from "../ledger/manifest.ts";
import {
  type Condition,
  conditionText,
  failedAmong,
  type Failures,
  pendingAmong,
} from "../ledger/select.ts";
import type { UsageReport } from "../ledger/usage.ts";
import { openLog } from "../system/log.ts";
import { asRunStopped } from "./as-run-stopped.ts";
import { pricesFor, reportBudget } from "./budget/report.ts";
import type { RunResult, Unmatched } from "./events.ts";
import { leaveNothing } from "./leave.ts";
import { beginSitting, endSitting } from "./life.ts";
import { retryStop } from "./retry-stop.ts";
import { askOnce } from "./reuse/ask-once.ts";
import { EarlierRuns } from "./reuse/earlier-runs.ts";
import type { InputScan } from "./scan-input.ts";
import type { Scene } from "./scene.ts";
import { NO_WORK } from "./work.ts";
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
  prices.learn(found.gateway_prices ?? {});
  const ledger = await Ledger.open(directory, found.run_id, prices.cost, requestOf(scan));
  closers.add(() => ledger.close());

  const total = Math.max(scan.items, found.items ?? 0);
  if (ledger.items.end > total) {
    throw new UsageError(
      `${directory} holds an outcome of item ${ledger.items.end - 1}, but the run has only ${total} items. ` +
        "Nothing was called. `nightshift verify` names the line; restore the file from a backup.",
    );
  }
  const failures =
    selection.kind === "failed"
      ? await failedAmong(directory, found.run_id, ledger.items, selection.where)
      : null;
  const wanted = failures ?? pendingAmong(ledger.items, scan.items);
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
  if (wanted.size === 0 && (found.state === "finished" || failures !== null)) {
    const unmatched = failures === null ? null : unmatchedBy(failures);
    return { ...(await result(scene, found, ledger, { already: true })), unmatched };
  }

  if (failures === null) {
    for (const message of scan.warnings) order.onEvent({ event: "warning", message });
  }

  const fileLog = openLog(join(directory, FILES.log), order.logLevel, { run: found.run_id });
  closers.add(() => fileLog.close());
  const { log } = fileLog;
  const earlier = await openEarlier(scene);
  const vanished = found.vanished ?? (await earlier?.vanished(scan));
  const counted = vanished === undefined ? found : { ...found, vanished };
  let manifest = await beginSitting(scene, counted, total, selection.kind);
  log.info(
    { event: "run.started", items: total, completed, failed, wanted: wanted.size },
    "started",
  );

  const wasLeft = found.in_redis ?? false;
  const { stop, limits, inRedis, isHeld, isHelped } =
    wanted.size === 0
      ? NO_WORK
      : await askOnce({ scene, manifest, wasLeft, ledger, wanted, log }, earlier?.answers ?? null);
  if (order.redis !== null) manifest = { ...manifest, in_redis: inRedis ?? wasLeft };
  if (isHeld !== null) manifest = { ...manifest, held: isHeld };
  if (isHelped) manifest = { ...manifest, helped: true };
  // A stop that came with the last outcome leaves nothing to continue.
  if (stop !== null && wanted.size > 0) {
    log.warn({ event: "run.stopped", reason: stop.reason, err: stop }, stop.message);
    const told = failures === null ? stop : retryStop(stop, directory, failures.where);
    manifest = await endSitting(scene, manifest, told);
    return { ...(await result(scene, manifest, ledger, { already: false })), limits_found: limits };
  }
  if (manifest.in_redis === true && order.redis !== null && inRedis === null) {
    const place = { ...scene, runId: manifest.run_id };
    manifest = { ...manifest, in_redis: !(await leaveNothing(place, order.clock)) };
  }
  const unwritten = await finish(scene, manifest, ledger);
  manifest = await endSitting(scene, manifest, unwritten);
  const ended = {
    ...(await result(scene, manifest, ledger, { already: false })),
    limits_found: limits,
  };
  log.info({ event: "run.finished", items: ended.usage.items }, "run finished");
  return ended;
}

/** What earlier runs of the job know, where that counts. */
async function openEarlier({ order, directory, closers }: Scene): Promise<EarlierRuns | null> {
  const { job, access } = order;
  if (!job.incremental) return null;
  const root = dirname(directory);
  const earlier = await EarlierRuns.open({ job, baseUrl: access.baseUrl, root, own: directory });
  closers.add(async () => earlier?.answers.close());
  return earlier;
}

function requestOf({ requests }: InputScan): RequestOf {
  return (index) => requests?.hashOf(index).toString("hex") ?? null;
}

function unmatchedBy({ where, byCode }: Failures): Unmatched {
  return { where: where.map(conditionText), failed: Object.fromEntries(byCode) };
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
      `${pending} ${pending === 1 ? "item has" : "items have"} not been asked yet`,
      "`nightshift run` with the same job and without --first asks them; the same command does not.",
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
    vanished: manifest.vanished,
  });
  let usageFile: string | null = join(directory, FILES.usage);
  try {
    if (!already) await replaceJson(usageFile, usage);
  } catch (error) {
    usageFile = null;
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
    unmatched: null,
    limits_found: NO_WORK.limits,
    records: manifest.input.records,
    usage,
    budget: reportBudget({
      limits: order.job.budget,
      usage,
      unrecorded: readUnrecorded(directory, manifest.run_id, ledger.items),
      usdOf: pricesFor(prices.cost, scene.scan.models),
    }),
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
