import { RunStopped } from "../errors.ts";
import type { GatewayClient } from "../gateway/client.ts";
import { askModels } from "../gateway/preflight.ts";
import type { Log } from "../system/log.ts";
import { formatDuration } from "../terminal/format.ts";
import { accountStop } from "./account-watch.ts";
import type { GatewayHealth } from "./gateway-health.ts";
import type { Scene } from "./scene.ts";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Asks the gateway for its models before any item is sent, so that a wrong key, address or model is
 * told while it costs nothing. A gateway that is down is waited for.
 *
 * @throws RunStopped for trouble with the account, or when the gateway stays away for too long.
 */
export async function preflight(parts: {
  readonly client: GatewayClient;
  readonly scene: Scene;
  readonly health: GatewayHealth;
  readonly signal: AbortSignal;
  readonly log: Log;
}): Promise<void> {
  const { client, scene, health, signal, log } = parts;
  const { clock, job, access, onEvent } = scene.order;
  const began = clock.monotonic();
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    const answer = await askModels(client, clock.now(), signal);
    switch (answer.kind) {
      case "models":
        health.sawAnswer();
        checkModels(scene.scan.models, answer.models);
        return;
      case "no-list":
        log.info({ event: "preflight.skipped" }, "the gateway lists no models");
        return;
      case "trouble":
        throw accountStop(
          answer.verdict.trouble,
          `${access.baseUrl} refuses: ${answer.verdict.failure.message}`,
        );
      case "unavailable": {
        const waited = clock.monotonic() - began;
        if (waited >= job.maxOutageMs) throw outageStop(answer.message, waited);
        if (pause === FIRST_PAUSE_MS) {
          onEvent({
            event: "warning",
            message:
              `${access.baseUrl} does not answer (${answer.message}): waiting for it. ` +
              "If it never did, check NIGHTSHIFT_BASE_URL and your network.",
          });
        }
        log.warn({ event: "preflight.waiting", error: answer.message }, "gateway does not answer");
        await clock.sleep(Math.min(pause, job.maxOutageMs - waited), signal);
      }
    }
  }
}

/** Why a run gives up on a gateway that stays away. */
export function outageStop(message: string, outageMs: number): RunStopped {
  return new RunStopped(
    "outage",
    `the gateway has been away for ${formatDuration(outageMs)}: ${message}`,
    "Run the same command again when it is back; --max-outage says how long a run waits.",
  );
}

function checkModels(wanted: readonly string[], offered: readonly string[]): void {
  // An empty list is a gateway that does not tell, not one without models.
  if (offered.length === 0) return;
  const missing = wanted.filter((model) => !offered.includes(model));
  if (missing.length === 0 || missing.length < wanted.length) return;
  throw accountStop(
    "model",
    `the gateway does not offer ${missing.map((model) => `\`${model}\``).join(", ")} to this key`,
  );
}
