import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import type { Clock } from "../system/clock.ts";
import { listRuns } from "./directory.ts";
import { readStatus, type RunStatus } from "./status.ts";

/** A run with what it takes on disk. */
export interface SizedRun extends RunStatus {
  readonly bytes: number;
}

/** Every run below a directory, newest first. One at a time: there may be thousands. */
export async function readSizedRuns(directory: string, clock: Clock): Promise<SizedRun[]> {
  const found: SizedRun[] = [];
  for (const { path } of await listRuns(directory)) {
    found.push({ ...(await readStatus(path, clock)), bytes: await sizeOf(path) });
  }
  return found;
}

export async function sizeOf(directory: string): Promise<number> {
  const sizes = await Promise.all(
    (await readdir(directory)).map((name) =>
      stat(join(directory, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
