import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { messageOf, RunStopped } from "../errors.ts";

/** The files of a run directory. */
export const FILES = {
  manifest: "run.json",
  results: "results.jsonl",
  errors: "errors.jsonl",
  usage: "usage.json",
  budget: "budget.jsonl",
  log: "run.log",
  lock: "run.lock",
  output: (format: "csv" | "jsonl"): string => `output.${format}`,
} as const;

/**
 * Writes a file so that a reader, or a crash, sees the old one or the new one and nothing between.
 * `write` gets the path of a temporary file beside it.
 *
 * @param temporary must be nobody else's: the default is for the owner of the directory.
 * @throws RunStopped when there is no room for it; the old file is still there.
 */
export async function replaceFile(
  path: string,
  write: (temporaryPath: string) => Promise<void>,
  temporary = `${path}.tmp`,
): Promise<void> {
  try {
    await write(temporary);
    await syncFile(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw isNoRoom(error) ? diskStop(path, error) : error;
  }
  await syncDirectory(dirname(path));
}

export async function replaceJson(path: string, value: unknown): Promise<void> {
  await replaceFile(path, async (temporary) => {
    const file = await open(temporary, "w");
    try {
      await file.writeFile(`${JSON.stringify(value, null, 2)}\n`);
    } finally {
      await file.close();
    }
  });
}

/** Whether a run directory holds any outcome yet. */
export async function hasOutcomes(directory: string): Promise<boolean> {
  const sizes = await Promise.all(
    [FILES.results, FILES.errors].map((name) =>
      stat(join(directory, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.some((size) => size > 0);
}

/** Creates a directory and its parents, and makes its entry in its parent last. */
export async function ensureDirectory(path: string): Promise<void> {
  await makeDirectories(path);
  await syncDirectory(dirname(path));
}

/** Node's own recursive mkdir never ends where the system refuses a directory with ENOENT, as in /proc. */
async function makeDirectories(path: string): Promise<void> {
  if (await isDirectory(path)) return;
  if (dirname(path) !== path) await makeDirectories(dirname(path));
  try {
    await mkdir(path);
  } catch (error) {
    // Somebody else may have made it just now.
    if (!(await isDirectory(path))) throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (hasCode(error, MISSING)) return false;
    throw error;
  }
}

/** Makes renames and new files in a directory survive a power cut. */
async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open directories; it needs no such sync.
  if (process.platform === "win32") return;
  await syncFile(path);
}

/** What a disk that is full or cannot be written means for the run. */
export function diskStop(path: string, error: unknown): RunStopped {
  return isNoRoom(error)
    ? new RunStopped(
        "disk",
        `no room left for ${path} (${error.code})`,
        "Make room on that disk, then run the same command again.",
        error,
      )
    : new RunStopped(
        "disk",
        `${path} cannot be written: ${messageOf(error)}`,
        "Check the disk, then run the same command again.",
        error,
      );
}

const NO_ROOM: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
const MISSING: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"]);

function isNoRoom(error: unknown): error is Error & { readonly code: string } {
  return hasCode(error, NO_ROOM);
}

/** Whether a file or the way to it is not there, in contrast to one that cannot be read. */
export function isMissing(error: unknown): boolean {
  return hasCode(error, MISSING);
}

function hasCode(
  error: unknown,
  codes: ReadonlySet<string>,
): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && codes.has(String(error.code));
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
