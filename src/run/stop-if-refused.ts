import type { RunStopped } from "../errors.ts";
import type { GatewayClient } from "../gateway/client.ts";
import { askModels } from "../gateway/preflight.ts";
import type { Clock } from "../system/clock.ts";

/** A dead key is refused everywhere; one bad channel does not refuse the list of models. */
export async function stopIfRefused(
  client: GatewayClient,
  clock: Clock,
  reason: RunStopped,
  stop: (reason: RunStopped) => void,
): Promise<void> {
  const answer = await askModels(client, clock.now()).catch(() => null);
  if (answer?.kind === "trouble") stop(reason);
}
