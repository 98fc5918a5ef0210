import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { UsageError } from "../errors.ts";
import { type Identity, identityChanges } from "../job/identity.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import { hasOutcomes } from "../ledger/files.ts";
import { type Manifest, readManifest } from "../ledger/manifest.ts";
import type { Random } from "../system/random.ts";
import type { Firing } from "./firing.ts";
import { dateAndTime, fillPlaceholders } from "./placeholders.ts";

/** Where runs go that were not told where. */
export const RUNS_DIRECTORY = "runs";

/** What differs each time: such a directory cannot be named again, so an unfinished run has to be found. */
const UNREPEATABLE = /\{\{\s*(?:time|run_id)\s*\}\}/;

/** Characters of a job's name in its directory's: file systems allow 255 bytes in all. */
const LONGEST_NAME = 60;

/** The directory that a run works in. */
export interface ChosenDirectory {
  readonly path: string;
  /** What is there already; null for a new run. */
  readonly manifest: Manifest | null;
  /** True when nobody named it: an unfinished run was found. */
  readonly found: boolean;
  /** A finished run that asked the same, where this is a new one and nobody said so. */
  readonly repeats?: string;
}

export interface DirectoryQuestion {
  readonly job: ResolvedJob;
  /** `--new`: never continue. */
  readonly fresh: boolean;
  /** Id of the run, should it be a new one. */
  readonly runId: string;
  readonly items: number;
  readonly identity: Identity;
  /** Wall-clock milliseconds. */
  readonly now: number;
  readonly workingDirectory: string;
  /** The firing of a schedule that the run is for; null for one that was started by hand. */
  readonly firing: Firing | null;
}

/**
 * Chooses the run directory: the one that was named, else the newest unfinished run of the same job
 * and input, else a new one. So the same command after a crash never buys again.
 */
export async function chooseDirectory(question: DirectoryQuestion): Promise<ChosenDirectory> {
  const { job, fresh, now, workingDirectory, firing } = question;
  if (firing !== null) return directoryOfFiring(question, firing);
  if (job.out !== null) {
    const path = resolve(workingDirectory, renderOut(job.out, question));
    const ofJob = !fresh && UNREPEATABLE.test(job.out) ? await runsOfJob(dirname(path), job) : [];
    const unfinished = await findUnfinished(ofJob, question);
    if (unfinished !== null) return unfinished;
    const manifest = await readManifest(path);
    if (fresh && manifest !== null) {
      throw new UsageError(
        `${path} holds run ${manifest.run_id} already, and --new starts afresh: ` +
          "name another directory, or leave --new out to continue that run.",
      );
    }
    if (manifest !== null) return { path, manifest, found: false };
    await refuseForeign(path);
    return { path, manifest, found: false, ...repeated(ofJob, question) };
  }
  const runs = join(workingDirectory, RUNS_DIRECTORY);
  const ofJob = fresh ? [] : await runsOfJob(runs, job);
  const unfinished = await findUnfinished(ofJob, question);
  if (unfinished !== null) return unfinished;
  const repeats = repeated(ofJob, question);
  const stem = join(runs, `${job.name.slice(0, LONGEST_NAME)}-${timestamp(now)}`);
  for (let copy = 1; ; copy += 1) {
    const path = copy === 1 ? stem : `${stem}-${copy}`;
    if ((await readManifest(path)) !== null) continue;
    return { path, manifest: null, found: false, ...repeats };
  }
}

/**
 * The runs that a command may mean whose input is not known yet, newest first: the one in the
 * directory that it names, else the unfinished ones of the job.
 */
export async function runsMeant(
  job: ResolvedJob,
  now: number,
  workingDirectory: string,
): Promise<ListedRun[]> {
  if (job.out === null || UNREPEATABLE.test(job.out)) {
    const ofJob = await runsOfJob(runsDirectory(job, now, workingDirectory), job);
    return ofJob.filter(({ manifest }) => manifest.state !== "finished");
  }
  const path = resolve(workingDirectory, renderOut(job.out, { job, runId: "run", now }));
  const manifest = await readManifest(path);
  return manifest === null ? [] : [{ path, manifest }];
}

/** Where a new run's directory would lie. */
export function runsDirectory(job: ResolvedJob, now: number, workingDirectory: string): string {
  if (job.out === null) return join(workingDirectory, RUNS_DIRECTORY);
  return dirname(resolve(workingDirectory, renderOut(job.out, { job, runId: "run", now })));
}

/**
 * Every firing has a directory of its own: the one that its tick names, so that it is found again
 * whoever begins it; with a number after it where a firing of another tick has that name, as in the
 * hour that comes twice when summer time ends.
 */
async function directoryOfFiring(
  question: DirectoryQuestion,
  firing: Firing,
): Promise<ChosenDirectory> {
  const { job, workingDirectory } = question;
  const template = job.out ?? join(RUNS_DIRECTORY, "{{ name }}-{{ date }}-{{ time }}");
  const named = resolve(workingDirectory, renderOut(template, { ...question, now: firing.tick }));
  for (let copy = 1; ; copy += 1) {
    const path = copy === 1 ? named : `${named}-${copy}`;
    const manifest = await readManifest(path);
    if (manifest === null) await refuseForeign(path);
    const isAnothers =
      manifest !== null &&
      (manifest.schedule === undefined
        ? manifest.state === "finished"
        : Date.parse(manifest.schedule.tick) !== firing.tick);
    if (!isAnothers) return { path, manifest, found: false };
  }
}

/**
 * Refuses a directory with somebody's files in it: a run would write its own over theirs. What a
 * run that was killed at its very beginning leaves behind is none.
 */
async function refuseForeign(path: string): Promise<void> {
  const names = await readdir(path).catch(() => []);
  const foreign = names.find((name) => !/^(run\.(lock|json|log)|input\.)/.test(name));
  if (foreign === undefined) return;
  throw new UsageError(
    `${path} is no run directory, and not empty (it holds ${JSON.stringify(foreign)}): ` +
      "name a directory of the run's own with --out.",
  );
}

/** A new run's id: job, time and chance, fit for file names, Redis keys and custom ids. */
export function newRunId(jobName: string, now: number, random: Random): string {
  const name = jobName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  const chance = Math.floor(random() * 36 ** 5)
    .toString(36)
    .padStart(5, "0");
  return [name.slice(0, 40), timestamp(now).toLowerCase(), chance]
    .filter((part) => part !== "")
    .join("-");
}

/** A run and where it lies. */
export interface ListedRun {
  readonly path: string;
  readonly manifest: Manifest;
}

/** Runs below a directory such as `runs/`, newest first. */
export async function listRuns(runs: string): Promise<ListedRun[]> {
  let names: string[];
  try {
    names = await readdir(runs);
  } catch {
    return [];
  }
  const found: ListedRun[] = [];
  for (const name of names) {
    const path = join(runs, name);
    // One damaged manifest must not hide the other runs.
    const manifest = await readManifest(path).catch(() => null);
    if (manifest !== null) found.push({ path, manifest });
  }
  return found.sort((a, b) => b.manifest.created_at.localeCompare(a.manifest.created_at));
}

/** Whether a directory is no run's, but holds some. */
export async function holdsRuns(path: string): Promise<boolean> {
  return (await readManifest(path)) === null && (await listRuns(path)).length > 0;
}

/**
 * The newest run that asks the same questions and has not asked them all. The job's newest run
 * counts too when it is unfinished and asks others: better refused than paid for twice by mistake.
 */
async function findUnfinished(
  ofJob: readonly ListedRun[],
  question: DirectoryQuestion,
): Promise<ChosenDirectory | null> {
  let isNewest = true;
  for (const [age, { path, manifest }] of ofJob.entries()) {
    const isSame = asksSame(manifest, question);
    // A finished trial of the first few records goes on with the others, unless a newer run has.
    const isTrial = isSame && isNewest && (manifest.items ?? 0) < question.items;
    if (isSame) isNewest = false;
    const isUnfinished =
      manifest.state !== "finished" && (isSame || (age === 0 && (await hasOutcomes(path))));
    if (isTrial || isUnfinished) return { path, manifest, found: true };
  }
  return null;
}

/** The newest run that asked all this before. */
function repeated(
  ofJob: readonly ListedRun[],
  question: DirectoryQuestion,
): Pick<ChosenDirectory, "repeats"> {
  const same = ofJob.find(({ manifest }) => asksSame(manifest, question));
  return same === undefined ? {} : { repeats: same.path };
}

function asksSame(manifest: Manifest, { identity }: DirectoryQuestion): boolean {
  return identityChanges(manifest.identity, identity).length === 0;
}

/** Newest first. */
async function runsOfJob(runs: string, job: ResolvedJob): Promise<ListedRun[]> {
  return (await listRuns(runs)).filter(
    ({ manifest }) => manifest.job["name"] === job.name && manifest.input.path === job.input,
  );
}

/** `20260102T030405Z` */
function timestamp(now: number): string {
  return new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, "");
}

function renderOut(
  template: string,
  { job, runId, now }: Pick<DirectoryQuestion, "job" | "runId" | "now">,
): string {
  const values = { name: job.name, ...dateAndTime(now, job.timeZone), run_id: runId };
  return fillPlaceholders(template, `${job.where}: out`, values);
}
