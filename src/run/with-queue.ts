import { RunStopped } from "../errors.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Connection } from "../queue/connection.ts";
import { type QueueServer, startQueueServer } from "../queue/server.ts";
import { Closers } from "./closers.ts";
import type { RunOrder } from "./scene.ts";
import { serveMetrics } from "./serve-metrics.ts";

/** What is there before a run begins. */
export interface Surroundings {
  /** Gets ready meanwhile, so that the input can be read beside its start. */
  readonly server: Promise<QueueServer>;
  /** Null where nobody wants to see them. */
  readonly metrics: Metrics | null;
  /** Closes whatever is opened on the way. */
  readonly closers: Closers;
}

/** Does something with a queue server, and closes whatever was opened. */
export async function withQueue<T>(
  order: RunOrder,
  act: (surroundings: Surroundings) => Promise<T>,
): Promise<T> {
  const closers = new Closers();
  let connection: Connection | null = null;
  try {
    const metrics = await serveMetrics(
      order.metrics,
      {
        isConnected: () => connection?.status === "ready",
        isStopping: () => order.signal.aborted,
        clock: order.clock,
      },
      closers,
      order.onEvent,
    );
    const server = startQueueServer(order.redis, order.signal).then((started) => {
      ({ connection } = started);
      tellAbout(started, order);
      return started;
    });
    server.catch(() => {});
    closers.add(async () => (await server).close());
    return await act({ server, metrics, closers });
  } catch (error) {
    throw error === order.signal.reason ? stoppedEarly(error) : error;
  } finally {
    await closers.close();
  }
}

function tellAbout({ warnings, hint }: QueueServer, { works, onEvent }: RunOrder): void {
  for (const message of warnings) onEvent({ event: "warning", message });
  // A run that works alone puts back what its Redis loses, and there is nothing to say.
  if (hint !== null && !works) onEvent({ event: "warning", message: hint });
}

/** Before the first call there is nothing to continue: a stop is all there is to say. */
function stoppedEarly(error: unknown): unknown {
  return error instanceof RunStopped
    ? error
    : new RunStopped("interrupted", "stopped before the first call", "Run the same command again.");
}
