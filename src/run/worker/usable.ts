import type { GatewayClient } from "../../gateway/client.ts";
import { askModels } from "../../gateway/preflight.ts";
import type { Clock } from "../../system/clock.ts";
import { accountStop } from "../account-watch.ts";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Resolves when the gateway takes the key, or does not say that it doesn't. One that is down is
 * waited for.
 *
 * @param onAway told once, where the gateway does not answer.
 * @throws RunStopped for trouble with the account.
 */
export async function untilUsable(
  client: GatewayClient,
  baseUrl: string,
  clock: Clock,
  signal: AbortSignal,
  onAway: (message: string) => void,
): Promise<void> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    const answer = await askModels(client, clock.now(), signal);
    if (answer.kind === "trouble") {
      const { trouble, failure } = answer.verdict;
      throw accountStop(trouble, `${baseUrl} refuses: ${failure.message}`);
    }
    if (answer.kind !== "unavailable") return;
    if (pause === FIRST_PAUSE_MS) onAway(answer.message);
    await clock.sleep(pause, signal);
  }
}
