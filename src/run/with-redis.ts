import { UsageError } from "../errors.ts";
import type { Place } from "../queue/keys.ts";
import { startQueueServer } from "../queue/server.ts";
import { type Environment, resolveRedis } from "../system/env.ts";

/** Which Redis, for commands that need one. */
export interface RedisOptions {
  readonly environment: Environment;
  /** Address that beats the environment's. */
  readonly redis: string | null;
  readonly signal: AbortSignal;
}

/**
 * Does something on the shared Redis.
 *
 * @param what needs it, for the message.
 * @throws UsageError where none is named.
 */
export async function withRedis<T>(
  what: string,
  { environment, redis, signal }: RedisOptions,
  act: (place: Place) => Promise<T>,
): Promise<T> {
  const access = resolveRedis(environment, redis);
  if (access === null) {
    throw new UsageError(
      `${what} on a shared Redis, but there is none: ` +
        "add --redis redis://host:6379 (or set NIGHTSHIFT_REDIS_URL).",
    );
  }
  const server = await startQueueServer(access, signal);
  try {
    return await act({ connection: server.connection, prefix: server.prefix });
  } finally {
    await server.close();
  }
}
