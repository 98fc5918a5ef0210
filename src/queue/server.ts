import { UsageError } from "../errors.ts";
import type { RedisAccess } from "../system/env.ts";
import { untilStopped } from "../system/until-stopped.ts";
import { redactAddress } from "./address.ts";
import { type Connection, connect } from "./connection.ts";
import { startEmbeddedValkey } from "./embedded.ts";
import { askServer, judgeServer } from "./server-check.ts";

/** A Redis or Valkey that answers. */
export interface QueueServer {
  readonly connection: Connection;
  /** What all keys begin with. */
  readonly prefix: string;
  /** What people should be told about it before it gets work. */
  readonly warnings: readonly string[];
  /** What its death would cost where other machines help; null where that is nothing. */
  readonly hint: string | null;
  close(): Promise<void>;
}

/** Nobody else is in there. */
const EMBEDDED_PREFIX = "nightshift";

/**
 * Connects to a shared Redis, or starts an embedded Valkey where there is none.
 * Gives up, with the signal's reason, when it aborts before anybody answered.
 *
 * @throws UsageError when nobody answers at that address, or one that cannot hold a queue.
 */
export async function startQueueServer(
  redis: RedisAccess | null,
  signal: AbortSignal,
): Promise<QueueServer> {
  if (redis !== null) return joinServer(redis, signal);
  const valkey = await startEmbeddedValkey();
  try {
    const connection = await connect(valkey.socketPath, signal);
    return {
      connection,
      prefix: EMBEDDED_PREFIX,
      warnings: [],
      hint: null,
      close: async () => {
        connection.disconnect();
        await valkey.close();
      },
    };
  } catch (error) {
    await valkey.close();
    throw error;
  }
}

async function joinServer(redis: RedisAccess, signal: AbortSignal): Promise<QueueServer> {
  const connection = await connect(redis.address, signal, redis.tls);
  const close = (): Promise<void> => Promise.resolve(connection.disconnect());
  try {
    const facts = await untilStopped(askServer(connection), signal);
    const { refusal, warnings, hint } = judgeServer(facts);
    if (refusal !== null) {
      throw new UsageError(`Redis at ${redactAddress(redis.address)} cannot be used: ${refusal}.`);
    }
    const unencrypted = unencryptedDespiteFiles(redis);
    return {
      connection,
      prefix: redis.prefix,
      warnings: unencrypted === null ? warnings : [unencrypted, ...warnings],
      hint,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Whoever names a CA believes that what they send is encrypted. */
function unencryptedDespiteFiles({ address, tls }: RedisAccess): string | null {
  if (/^rediss:/i.test(address) || (tls.ca === null && tls.cert === null)) return null;
  return (
    `the connection to Redis at ${redactAddress(address)} is not encrypted, although NIGHTSHIFT_REDIS_CA ` +
    "or NIGHTSHIFT_REDIS_CERT is set: write rediss:// for TLS."
  );
}
