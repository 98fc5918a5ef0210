import { RunStopped } from "../errors.ts";
import { type QueueServer, startQueueServer } from "../queue/server.ts";
import { Closers } from "./closers.ts";
import type { RunOrder } from "./scene.ts";

/**
 * Does something with a queue server that gets ready meanwhile, and closes whatever was opened.
 *
 * @param act gets the server's promise, so that it can read the input beside its start.
 */
export async function withQueue<T>(
  order: RunOrder,
  act: (server: Promise<QueueServer>, closers: Closers) => Promise<T>,
): Promise<T> {
  const closers = new Closers();
  const server = startQueueServer(order.redis, order.signal).then((started) => {
    tellAbout(started, order);
    return started;
  });
  server.catch(() => {});
  closers.add(async () => (await server).close());
  try {
    return await act(server, closers);
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
