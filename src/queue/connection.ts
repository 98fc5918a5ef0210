import type { Writable } from "node:stream";

import { Redis, type RedisOptions } from "ioredis";

import { messageOf, UsageError } from "../errors.ts";

/** An open connection to a Redis or Valkey. */
export type Connection = Redis;

const CONNECT_TIMEOUT_MS = 10_000;
/** Longer than any blocking read of the queue, which lasts 10 s at most. */
const SILENCE_MS = 30_000;
const LONGEST_RECONNECT_PAUSE_MS = 5_000;

/**
 * Connects to a Redis or Valkey and waits until it answers.
 *
 * @param address `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS,
 *   `unix:///path/to.sock` or the socket's absolute path.
 * @param signal gives up when it aborts, with its reason.
 * @throws UsageError when the address is no such thing or nobody answers there.
 */
export async function connect(address: string, signal?: AbortSignal): Promise<Connection> {
  const redis = open(address);
  const giveUp = (): void => redis.disconnect();
  signal?.addEventListener("abort", giveUp, { once: true });
  // Without a listener every lost connection would end the process; who needs to know asks `status`.
  redis.on("error", () => {});
  redis.on("connect", () => writeOncePerTurn(redis.stream));
  let lastError: unknown;
  redis.once("error", (error) => (lastError = error));
  try {
    await redis.connect();
    return redis;
  } catch (error) {
    redis.disconnect();
    signal?.throwIfAborted();
    throw new UsageError(
      `Redis at ${redactAddress(address)} does not answer: ${messageOf(lastError ?? error)}. ` +
        "Start it, correct --redis (or NIGHTSHIFT_REDIS_URL), or leave it out: " +
        "then Nightshift brings its own.",
      { cause: error },
    );
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}

/** The address without user and password, for messages and logs. */
export function redactAddress(address: string): string {
  // Up to the last `@`: people forget to escape the one in their password, and the scheme.
  return address.replace(/^([a-z+]+:\/\/)?.*@/i, "$1");
}

function open(address: string): Redis {
  const options = {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A Redis that takes commands and never answers is as good as gone.
    socketTimeout: SILENCE_MS,
    // BullMQ's blocking commands wait through reconnects.
    maxRetriesPerRequest: null,
    retryStrategy: (times: number) =>
      Math.min(50 * 2 ** Math.min(times, 10), LONGEST_RECONNECT_PAUSE_MS),
  } satisfies RedisOptions;
  const socketPath = /^(?:unix:\/\/|redis\+unix:\/\/)?(\/.+)$/.exec(address)?.[1];
  if (socketPath !== undefined) return new Redis(socketPath, options);
  if (!/^rediss?:\/\/[^/]/.test(address) || !URL.canParse(address)) {
    throw new UsageError(
      `${JSON.stringify(redactAddress(address))} is no Redis address: write redis://host:6379, ` +
        "rediss://host:6379 (TLS) or unix:///path/to/redis.sock",
    );
  }
  return new Redis(address, options);
}

/**
 * Gathers what one turn of the event loop writes into one write: the commands of all the answers
 * that one sync has made safe.
 */
function writeOncePerTurn(socket: Writable): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let corked = false;
  socket.write = (...args: unknown[]): boolean => {
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(() => {
        corked = false;
        socket.uncork();
      });
    }
    return write(...args);
  };
}
