import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { ensureDirectory } from "../../ledger/files.ts";
import { findHolder, lockDirectory } from "../../ledger/lock.ts";
import type { Clock } from "../../system/clock.ts";
import { booksDirectory } from "./tick-book.ts";

/** Tells schedulers that share a directory of runs which of them are alive. */
export interface Presence {
  isAlive(scheduler: string): Promise<boolean>;
  leave(): Promise<void>;
}

/** Makes a scheduler known as alive among those that look after the same runs. */
export async function bePresent(runs: string, scheduler: string, clock: Clock): Promise<Presence> {
  const directoryOf = (name: string): string => join(booksDirectory(runs), "alive", name);
  const names = await readdir(directoryOf("")).catch(() => []);
  for (const name of names) {
    if ((await findHolder(directoryOf(name), clock)) === null) {
      await rm(directoryOf(name), { recursive: true, force: true });
    }
  }
  const own = directoryOf(scheduler);
  await ensureDirectory(own);
  const lock = await lockDirectory(own, clock);
  return {
    isAlive: async (name) =>
      name === scheduler || (await findHolder(directoryOf(name), clock)) !== null,
    leave: async () => {
      await lock.release();
      await rm(own, { recursive: true, force: true });
    },
  };
}
