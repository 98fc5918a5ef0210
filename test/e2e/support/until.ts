import { setTimeout as sleep } from "node:timers/promises";

const LOOK_EVERY_MS = 10;
const PATIENCE_MS = 20_000;

/** Waits for what another process does: looks until it is so. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(LOOK_EVERY_MS);
  }
}
