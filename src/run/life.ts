import { stat } from "node:fs/promises";
import { join, relative } from "node:path";

import { messageOf, type RunStopped, UsageError } from "../errors.ts";
import { identityChanges, identityOf } from "../job/identity.ts";
import type { PriceList } from "../job/pricing.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import { diskStop, FILES, hasOutcomes } from "../ledger/files.ts";
import { type Manifest, writeManifest } from "../ledger/manifest.ts";
import { VERSION } from "../system/version.ts";
import type { Firing } from "./firing.ts";
import type { InputScan } from "./scan-input.ts";
import type { RunOrder, Scene } from "./scene.ts";

// A run's life as run.json tells it: begun, sat down to, stopped or finished.

/** The manifest of a run that is about to begin. */
export function newManifest(order: RunOrder, runId: string, scan: InputScan): Manifest {
  const { job, access, clock } = order;
  const now = iso(clock.now());
  return {
    run_id: runId,
    state: "running",
    reason: null,
    job: writtenJob(job),
    identity: { ...identityOf(job, scan.sha256) },
    input: { path: job.input, bytes: scan.bytes, sha256: scan.sha256, records: scan.records },
    items: scan.items,
    columns: [...scan.columns],
    output: FILES.output(/\.(csv|tsv)(\.gz)?$/i.test(job.inputs[0] ?? "") ? "csv" : "jsonl"),
    base_url: access.baseUrl,
    created_at: now,
    updated_at: now,
    finished_at: null,
    sittings: [],
    versions: { nightshift: VERSION, node: process.versions.node },
  };
}

/**
 * The run to continue in a directory; null where a new one begins: one without any outcome yet
 * makes room for other questions.
 *
 * @throws UsageError where it holds answers to other questions.
 */
export async function runToContinue(
  directory: string,
  manifest: Manifest | null,
  job: ResolvedJob,
  scan: InputScan,
): Promise<Manifest | null> {
  if (manifest === null) return null;
  const isSame = identityChanges(manifest.identity, identityOf(job, scan.sha256)).length === 0;
  if (!isSame && !(await hasOutcomes(directory))) return null;
  checkIdentity(directory, manifest, job, scan);
  return manifest;
}

/**
 * Refuses to mix answers to different questions in one directory.
 *
 * @throws UsageError that says what differs.
 */
export function checkIdentity(
  directory: string,
  manifest: Manifest | null,
  job: ResolvedJob,
  scan: InputScan,
): void {
  if (manifest === null) return;
  const changes = identityChanges(manifest.identity, identityOf(job, scan.sha256));
  if (changes.length === 0) return;
  throw new UsageError(
    `${relative(process.cwd(), directory) || directory} holds answers to other questions: ` +
      `changed since it began: ${changes.join(", ")}. ` +
      (job.out === null
        ? "Take the change back to continue that run, or start afresh with --new."
        : "Take the change back to continue that run, or name another directory."),
  );
}

/** Notes that this process now works on the run. */
export async function beginSitting(
  { order, directory }: Scene,
  found: Manifest,
  items: number,
  about: "pending" | "failed",
): Promise<Manifest> {
  const now = iso(order.clock.now());
  const manifest: Manifest = {
    ...found,
    state: "running",
    reason: null,
    // What failed items are asked again with is no change of the job.
    job: about === "failed" ? found.job : writtenJob(order.job),
    items,
    base_url: order.access.baseUrl,
    ...(order.firing !== null && { schedule: firingNote(order.firing) }),
    // Only on a shared Redis somebody could resume it.
    held: order.redis !== null && (found.held ?? false),
    ...(order.redis !== null && { in_redis: true }),
    updated_at: now,
    finished_at: null,
    sittings: [...(await closedSittings(directory, found)), { started_at: now, ended_at: null }],
    versions: { nightshift: VERSION, node: process.versions.node },
  };
  await writeManifest(directory, manifest);
  return manifest;
}

/** Notes the prices that the gateway told: whoever reads the run does not ask again. */
export async function notePrices({ directory, prices }: Scene, manifest: Manifest): Promise<void> {
  await writeManifest(directory, withPrices(manifest, prices));
}

/** Notes that workers elsewhere help: whoever sits down next must reckon with them. */
export async function noteHelped(
  { directory, prices }: Scene,
  manifest: Manifest,
): Promise<Manifest> {
  const noted = { ...withPrices(manifest, prices), helped: true };
  await writeManifest(directory, noted);
  return noted;
}

/** Notes that somebody paused the run, or resumed it: its owner stays. */
export async function noteHeld(
  { order, directory, prices }: Scene,
  manifest: Manifest,
  isHeld: boolean,
): Promise<Manifest> {
  const { run_id: runId } = manifest;
  const reason = {
    code: "paused",
    message: `paused with \`nightshift pause ${runId}\``,
    remedy: resumeRemedy(runId),
  };
  const noted: Manifest = {
    ...withPrices(manifest, prices),
    state: isHeld ? "paused" : "running",
    reason: isHeld ? reason : null,
    held: isHeld,
    updated_at: iso(order.clock.now()),
  };
  await writeManifest(directory, noted);
  return noted;
}

/** Notes how this process left the run; null when it finished. */
export async function endSitting(
  { order, directory, prices }: Scene,
  before: Manifest,
  stop: RunStopped | null,
): Promise<Manifest> {
  const now = iso(order.clock.now());
  const state = stop === null ? "finished" : stop.reason === "cancelled" ? "cancelled" : "paused";
  const isHeld = state === "paused" && before.held === true;
  const manifest: Manifest = {
    ...withPrices(before, prices),
    state,
    reason:
      stop === null
        ? null
        : {
            code: stop.reason,
            message: stop.message,
            remedy: isHeld ? `${stop.remedy} ${resumeRemedy(before.run_id)}` : stop.remedy,
          },
    held: isHeld,
    updated_at: now,
    finished_at: stop === null ? now : null,
    sittings: before.sittings.map((sitting) => ({ ...sitting, ended_at: sitting.ended_at ?? now })),
  };
  try {
    await writeManifest(directory, manifest);
    return manifest;
  } catch (error) {
    // The old manifest says `running`, which the same command continues just as well.
    order.onEvent({
      event: "warning",
      message:
        `run.json was not written (${messageOf(error)}): until the next sitting ` +
        "`nightshift status` takes the run for one whose process was killed.",
    });
    const { reason: code, message, remedy } = stop ?? diskStop(directory, error);
    return { ...manifest, state: "paused", reason: { code, message, remedy }, finished_at: null };
  }
}

function resumeRemedy(runId: string): string {
  return `\`nightshift resume ${runId}\` lets it go on.`;
}

/** A process that was killed could not say when: its last written line tells. */
export async function closedSittings(
  directory: string,
  manifest: Manifest,
): Promise<Manifest["sittings"]> {
  if (manifest.sittings.every(({ ended_at: ended }) => ended !== null)) return manifest.sittings;
  const writes = await Promise.all(
    [FILES.results, FILES.errors].map(async (name) => {
      try {
        return (await stat(join(directory, name))).mtimeMs;
      } catch {
        return 0;
      }
    }),
  );
  return manifest.sittings.map(({ started_at: started, ended_at: ended }) => ({
    started_at: started,
    ended_at: ended ?? iso(Math.max(Date.parse(started), ...writes)),
  }));
}

/** The job as run.json has it. The address of a webhook often is a secret, and stays out. */
function writtenJob(job: ResolvedJob): Manifest["job"] {
  return { ...job, notify: job.notify === null ? null : { ...job.notify, webhook: null } };
}

function firingNote({ tick, jobFile, byHand }: Firing): NonNullable<Manifest["schedule"]> {
  return { tick: iso(tick), job_file: jobFile, by_hand: byHand };
}

function withPrices(manifest: Manifest, { learned }: PriceList): Manifest {
  return Object.keys(learned).length === 0 ? manifest : { ...manifest, gateway_prices: learned };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
