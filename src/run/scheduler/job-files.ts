import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { messageOf, UsageError } from "../../errors.ts";
import { isJobFile } from "../../job/load.ts";
import { isMissing } from "../../ledger/files.ts";

/** A job file, and whether somebody named it rather than its directory. */
export interface JobFileRef {
  readonly file: string;
  readonly isNamed: boolean;
}

/**
 * The job files that directories and file names stand for, in order.
 *
 * @throws UsageError for what is neither a directory nor a job file.
 */
export async function findJobFiles(targets: readonly string[]): Promise<JobFileRef[]> {
  const found: JobFileRef[] = [];
  for (const target of targets) {
    if (await isDirectory(target)) {
      const names = (await readdir(target)).filter(isJobFile).sort();
      found.push(...names.map((name) => ({ file: join(target, name), isNamed: false })));
    } else if (isJobFile(target)) {
      found.push({ file: target, isNamed: true });
    } else {
      throw new UsageError(
        `${target} is neither a directory nor a job file (.yaml): name the directory with your job files, such as jobs/`,
      );
    }
  }
  return found;
}

/** Changes whenever the file is written to or replaced; empty while it is not there. */
export async function fingerprintOf(file: string): Promise<string> {
  try {
    const { mtimeMs, ctimeMs, size, ino } = await stat(file);
    return `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
  } catch {
    return "";
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw new UsageError(`${path} cannot be looked at: ${messageOf(error)}`, { cause: error });
  }
}
