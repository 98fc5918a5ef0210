import { type Connection, connect } from "./connection.ts";
import { startEmbeddedValkey } from "./embedded.ts";

/** A Redis or Valkey that answers. */
export interface QueueServer {
  readonly connection: Connection;
  close(): Promise<void>;
}

/**
 * Connects to a shared Redis, or starts an embedded Valkey where there is none.
 * Gives up, with the signal's reason, when it aborts before anybody answered.
 *
 * @throws UsageError when nobody answers at that address.
 */
export async function startQueueServer(
  address: string | null,
  signal: AbortSignal,
): Promise<QueueServer> {
  if (address !== null) {
    const connection = await connect(address, signal);
    return {
      connection,
      close: () => Promise.resolve(connection.disconnect()),
    };
  }
  const valkey = await startEmbeddedValkey();
  try {
    const connection = await connect(valkey.socketPath, signal);
    return {
      connection,
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
