import { readFile } from "node:fs/promises";
import type { Writable } from "node:stream";

import { Redis, type RedisOptions } from "ioredis";

import { messageOf, UsageError } from "../errors.ts";
import { type Endpoint, parseAddress, redactAddress } from "./address.ts";
import { explainProblem } from "./connect-problem.ts";

/** An open connection to a Redis or Valkey. */
export type Connection = Redis;

/** Paths of PEM files for TLS. */
export interface TlsFiles {
  /** Who may have signed the server's certificate; null: those whom the machine trusts. */
  readonly ca: string | null;
  /** Our own certificate and its key, where the server wants one. */
  readonly cert: string | null;
  readonly key: string | null;
}

const NO_FILES: TlsFiles = { ca: null, cert: null, key: null };
const CONNECT_TIMEOUT_MS = 10_000;
/** Longer than any blocking read of the queue, which lasts 10 s at most. */
const SILENCE_MS = 30_000;
/** Between two attempts to reach a Redis that is away. */
export const LONGEST_RECONNECT_PAUSE_MS = 5_000;

/**
 * Connects to a Redis or Valkey and waits until it answers.
 *
 * @param address as {@link parseAddress} takes it.
 * @param signal gives up when it aborts, with its reason.
 * @throws UsageError when the address is no such thing, nobody answers there, or lets us in.
 */
export async function connect(
  address: string,
  signal?: AbortSignal,
  files: TlsFiles = NO_FILES,
): Promise<Connection> {
  const endpoint = parseAddress(address);
  const redis = new Redis(await optionsFor(endpoint, files));
  const giveUp = (): void => redis.disconnect();
  signal?.addEventListener("abort", giveUp, { once: true });
  redis.on("connect", () => writeOncePerTurn(redis.stream));
  let firstError: unknown;
  redis.once("error", (error) => (firstError = error));
  // Without a listener every lost connection would end the process; who needs to know asks `status`.
  redis.on("error", () => {});
  try {
    await redis.connect();
    // A refused SELECT is told in passing, and what follows would land in database 0.
    if (firstError !== undefined) throw firstError as Error;
    return redis;
  } catch (error) {
    redis.disconnect();
    signal?.throwIfAborted();
    // Not as a cause: the library's error holds the password that it sent.
    throw cannotUse(address, endpoint, firstError ?? error);
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}

function cannotUse(address: string, { tls }: Endpoint, error: unknown): UsageError {
  const { answered, message, remedy } = explainProblem(error, tls);
  const fault = answered ? "cannot be used" : "does not answer";
  return new UsageError(`Redis at ${redactAddress(address)} ${fault}: ${message}. ${remedy}`);
}

async function optionsFor(endpoint: Endpoint, files: TlsFiles) {
  const { host, port, socketPath, username, password, db } = endpoint;
  return {
    ...(socketPath === null ? { host: host ?? "", port } : { path: socketPath }),
    ...(username !== null && { username }),
    ...(password !== null && { password }),
    ...(endpoint.tls && { tls: await readTlsFiles(files) }),
    db,
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A Redis that takes commands and never answers is as good as gone.
    socketTimeout: SILENCE_MS,
    // BullMQ's blocking commands wait through reconnects.
    maxRetriesPerRequest: null,
    retryStrategy: (times: number) =>
      Math.min(50 * 2 ** Math.min(times, 10), LONGEST_RECONNECT_PAUSE_MS),
    // Two commands that a user of few rights would be refused, at every connection.
    disableClientInfo: true,
    // After a failover the old primary takes no writes: the address leads to the new one.
    reconnectOnError: (error: Error) => (error.message.includes("READONLY") ? 2 : false),
    // BullMQ would ask each connection for version and eviction policy, and warn on stderr each time:
    // whoever starts a queue asks once.
    skipVersionCheck: true,
  } satisfies RedisOptions & { skipVersionCheck: boolean };
}

async function readTlsFiles(
  files: TlsFiles,
): Promise<{ ca?: string; cert?: string; key?: string }> {
  if ((files.cert === null) !== (files.key === null)) {
    throw new UsageError(
      "NIGHTSHIFT_REDIS_CERT and NIGHTSHIFT_REDIS_KEY belong together: set both or neither",
    );
  }
  return {
    ...(files.ca !== null && { ca: await readPem("NIGHTSHIFT_REDIS_CA", files.ca) }),
    ...(files.cert !== null && { cert: await readPem("NIGHTSHIFT_REDIS_CERT", files.cert) }),
    ...(files.key !== null && { key: await readPem("NIGHTSHIFT_REDIS_KEY", files.key) }),
  };
}

async function readPem(variable: string, path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new UsageError(`${variable} names a file that cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (text.includes("-----BEGIN ")) return text;
  throw new UsageError(
    `${variable} names ${path}, which is not in PEM form (it should hold a line -----BEGIN …-----). ` +
      "`openssl x509 -inform der -in <file> -out <file>.pem` converts a certificate.",
  );
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
