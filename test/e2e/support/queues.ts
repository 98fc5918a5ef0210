import { describe } from "vitest";

import { hasRedisServer, RedisServer } from "./redis-server.ts";

/** Which queue a test runs on: its own process's, or a Redis that other processes could share. */
export type QueueKind = "embedded" | "redis";

/** Declares the same tests for both queues. Without a redis-server the second half is skipped and says so. */
export function describeOnEachQueue(body: (queue: QueueKind) => void): void {
  describe("on the embedded queue", () => body("embedded"));
  describeOnRedis(() => body("redis"));
}

/** Declares tests for a Redis that other processes share. */
export function describeOnRedis(body: () => void): void {
  if (hasRedisServer) describe("on a Redis server", body);
  else describe.skip("on a Redis server (this machine has no redis-server)", body);
}

/** Null for the embedded queue, which needs no server. */
export async function startQueue(kind: QueueKind): Promise<RedisServer | null> {
  return kind === "redis" ? RedisServer.start() : null;
}
