import type { Connection } from "../queue/connection.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import type { RunEvent } from "./events.ts";

type RedisEvent = Extract<RunEvent, { event: "redis_lost" | "redis_back" | "warning" }>;

export interface RedisWatchParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Log;
  readonly onEvent: (event: RedisEvent) => void;
  /** Whoever filled that Redis looks after what is missing in it. */
  readonly onBack?: (awayMs: number) => void;
}

/**
 * Tells when Redis goes away, why it does not let us in again, and when it is back.
 *
 * @returns what ends the watch.
 */
export function watchRedis(parts: RedisWatchParts): () => void {
  const { connection, clock, log, onEvent } = parts;
  let lostAt: number | null = null;
  /** What was told since it was lost: every attempt to reconnect fails anew. */
  const told = new Set<string>();

  const onClose = (): void => {
    if (lostAt !== null) return;
    lostAt = clock.monotonic();
    log.warn({ event: "redis.lost" }, "the connection to Redis is lost");
    onEvent({ event: "redis_lost" });
  };
  const onError = (error: Error): void => {
    if (lostAt === null || told.has(error.message)) return;
    told.add(error.message);
    log.warn({ event: "redis.refused", error: error.message }, "Redis cannot be reached");
    // One that is away says nothing; one that answers and refuses will not come back by itself.
    if (error.name !== "ReplyError") return;
    onEvent({ event: "warning", message: `Redis refuses the connection: ${error.message}` });
  };
  const onReady = (): void => {
    if (lostAt === null) return;
    const awayMs = clock.monotonic() - lostAt;
    const seconds = Math.round(awayMs / 100) / 10;
    lostAt = null;
    told.clear();
    log.info({ event: "redis.back", seconds }, "Redis is back");
    onEvent({ event: "redis_back", seconds });
    parts.onBack?.(awayMs);
  };

  connection.on("close", onClose);
  connection.on("error", onError);
  connection.on("ready", onReady);
  return () => {
    connection.off("close", onClose);
    connection.off("error", onError);
    connection.off("ready", onReady);
  };
}
