import { setTimeout as sleep } from "node:timers/promises";

import type { Sandbox } from "../../../src/sandbox/sandbox.ts";
import type { Running } from "../../e2e/support/process.ts";

const LOOK_EVERY_MS = 2;

/**
 * Waits for what another process does.
 *
 * @returns how long that took in milliseconds; null when it did not come in time.
 */
export async function wait(
  isSo: () => boolean | Promise<boolean>,
  patienceMs: number,
): Promise<number | null> {
  const began = performance.now();
  while (!(await isSo())) {
    if (performance.now() - began > patienceMs) return null;
    await sleep(LOOK_EVERY_MS);
  }
  return performance.now() - began;
}

/** Waits until the gateway has billed so many calls, or the process has ended. */
export async function billed(gateway: Sandbox, calls: number, running: Running): Promise<void> {
  const arrived = await wait(
    () => running.hasEnded || gateway.stats().billedRequests >= calls,
    300_000,
  );
  if (arrived === null) throw new Error(`waited in vain for ${calls} billed calls`);
}

/** Waits until the gateway has ended what killed clients had asked for: it bills that too. */
export async function quiet(gateway: Sandbox): Promise<void> {
  const arrived = await wait(() => gateway.stats().inFlight === 0, 30_000);
  if (arrived === null) throw new Error("the gateway does not get quiet");
}
