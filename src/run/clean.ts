import { randomUUID } from "node:crypto";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { UsageError } from "../errors.ts";
import { forgetRemovedRuns } from "../ledger/known-answers.ts";
import { lockDirectory } from "../ledger/lock.ts";
import { type Manifest, readManifest } from "../ledger/manifest.ts";
import type { Clock } from "../system/clock.ts";
import { SPOOL_PREFIX } from "./bind-input.ts";
import { type ListedRun, listRuns } from "./directory.ts";
import { sizeOf } from "./list-sizes.ts";
import { requireRunsDirectory } from "./require-runs-directory.ts";

/** Which finished runs may go: those that meet all that is said here. */
export interface CleanRules {
  /** All but the newest so many of each job. */
  readonly keepLast: number | null;
  /** Those that ended longer ago than this. */
  readonly olderThanMs: number | null;
}

/** A run directory that was, or would be, removed. */
export interface RemovedRun {
  readonly directory: string;
  readonly run_id: string;
  readonly job: string;
  readonly finished_at: string;
  readonly bytes: number;
}

const REMOVING_PREFIX = ".removing-";
/** What a killed process has left; a living one takes no longer. */
const LEFTOVER_MS = 24 * 60 * 60_000;

/** The finished runs that the rules let go. */
function runsToRemove(
  runs: readonly ListedRun[],
  { keepLast, olderThanMs }: CleanRules,
  now: number,
): ListedRun[] {
  const kept = new Map<string, number>();
  return runs
    .filter(({ manifest }) => manifest.state === "finished")
    .toSorted((a, b) => b.manifest.created_at.localeCompare(a.manifest.created_at))
    .filter(({ manifest }) => {
      const job = String(manifest.job["name"]);
      const newer = kept.get(job) ?? 0;
      kept.set(job, newer + 1);
      const isBeyond = keepLast === null || newer >= keepLast;
      const isOld = olderThanMs === null || now - Date.parse(endOf(manifest)) > olderThanMs;
      return isBeyond && isOld;
    });
}

/**
 * Removes finished run directories. One that somebody works on, or that is not finished, stays;
 * so does everything that is no run directory.
 *
 * @throws UsageError for a directory that is no place for runs.
 */
export async function cleanRuns(
  directory: string,
  rules: CleanRules,
  { clock, dryRun }: { readonly clock: Clock; readonly dryRun: boolean },
): Promise<RemovedRun[]> {
  await requireRunsDirectory(directory);
  const removed: RemovedRun[] = [];
  for (const { path, manifest } of runsToRemove(await listRuns(directory), rules, clock.now())) {
    const run: RemovedRun = {
      directory: path,
      run_id: manifest.run_id,
      job: String(manifest.job["name"]),
      finished_at: endOf(manifest),
      bytes: await sizeOf(path),
    };
    if (dryRun || (await removeRun(path, manifest.run_id, clock))) removed.push(run);
  }
  if (dryRun) return removed;
  await removeLeftovers(directory, clock.now());
  if (removed.length > 0) {
    // An index in use is put right by whoever opens it next: it is no truth of its own.
    await forgetRemovedRuns(directory).catch(() => {});
  }
  return removed;
}

/** Whether it was removed: under its lock, so that nobody begins to work on it meanwhile. */
async function removeRun(path: string, runId: string, clock: Clock): Promise<boolean> {
  const lock = await lockDirectory(path, clock).catch((error: unknown) => {
    if (error instanceof UsageError) return null;
    throw error;
  });
  if (lock === null) return false;
  const now = await readManifest(path).catch(() => null);
  if (now?.state !== "finished" || now.run_id !== runId) {
    await lock.release();
    return false;
  }
  // Out of sight in one step: half a directory is never taken for a run.
  const aside = join(dirname(path), `${REMOVING_PREFIX}${randomUUID()}`);
  await rename(path, aside);
  await lock.release();
  await rm(aside, { recursive: true, force: true });
  return true;
}

/** What killed processes have left: copies of standard input, and half-removed runs. */
async function removeLeftovers(directory: string, now: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const isLeftover = name.startsWith(SPOOL_PREFIX) || name.startsWith(REMOVING_PREFIX);
    if (!isLeftover) continue;
    const age = now - (await stat(path)).mtimeMs;
    if (age > LEFTOVER_MS) await rm(path, { recursive: true, force: true });
  }
}

function endOf({ finished_at: finished, updated_at: updated }: Manifest): string {
  return finished ?? updated;
}
