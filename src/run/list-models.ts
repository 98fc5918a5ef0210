import { RunStopped, UsageError } from "../errors.ts";
import { createGatewayClient } from "../gateway/client.ts";
import { askModels } from "../gateway/preflight.ts";
import { systemClock } from "../system/clock.ts";
import { type Environment, resolveAccess } from "../system/env.ts";
import { VERSION } from "../system/version.ts";
import { remedyFor } from "./account-watch.ts";

/**
 * The models that the gateway offers to this key, sorted.
 *
 * @throws UsageError or RunStopped when it refuses the key, does not answer, or has no such list.
 */
export async function listModels(
  environment: Environment,
  baseUrl: string | null,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const access = resolveAccess(environment, baseUrl);
  const client = createGatewayClient({
    ...access,
    connections: 1,
    version: VERSION,
    clock: systemClock,
    proxy: environment.proxy,
  });
  try {
    const answer = await askModels(client, systemClock.now(), signal);
    switch (answer.kind) {
      case "models":
        return [...answer.models].sort();
      case "trouble": {
        const { trouble, failure } = answer.verdict;
        throw new RunStopped(
          "account",
          `${access.baseUrl} refuses: ${failure.message}`,
          `${remedyFor(trouble)} Then run the same command again.`,
        );
      }
      case "no-list":
        throw new UsageError(
          `${access.baseUrl} has no list of models (GET /models). ` +
            `${remedyFor("base-url")} A gateway without a list runs jobs all the same.`,
        );
      case "unavailable":
        throw new UsageError(
          `${access.baseUrl} does not answer (${answer.message}). ` +
            "Start it if it is yours; else check NIGHTSHIFT_BASE_URL (or --base-url) and your network.",
        );
    }
  } finally {
    await client.destroy();
  }
}
