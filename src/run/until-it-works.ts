import { messageOf, RunStopped } from "../errors.ts";
import type { Clock } from "../system/clock.ts";

const AGAIN_MS = 1_000;

/**
 * Does something until it works: what Redis cannot do now, it can when it is back.
 *
 * @throws RunStopped as the action throws it; the signal's reason when that aborts.
 */
export async function untilItWorks<T>(
  act: () => Promise<T>,
  clock: Clock,
  signal: AbortSignal,
  onError: (error: Error) => void,
): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (error instanceof RunStopped) throw error;
      onError(error instanceof Error ? error : new Error(messageOf(error)));
      await clock.sleep(AGAIN_MS, signal);
    }
  }
}
