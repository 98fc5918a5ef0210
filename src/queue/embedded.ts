import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";

/** A Valkey of this process's own, for machines without a Redis. */
export interface EmbeddedValkey {
  /** The Unix socket it listens on: only this user can reach it. */
  readonly socketPath: string;
  close(): Promise<void>;
}

/**
 * Starts a Valkey in a worker thread. It keeps nothing on disk; the ledger does.
 * A thread that dies is started again, empty, on the same socket: whoever watches the connection
 * for `ready` fills it again.
 *
 * @throws what the thread threw, if it dies before it ever listened.
 */
export async function startEmbeddedValkey(): Promise<EmbeddedValkey> {
  // mkdtemp makes the directory with mode 0700.
  const directory = await mkdtemp(join(tmpdir(), "nightshift-"));
  const socketPath = join(directory, "valkey.sock");
  let closed = false;
  let thread: Worker;

  const start = async (): Promise<void> => {
    await rm(socketPath, { force: true });
    if (closed) return;
    thread = new Worker(new URL(`./embedded-thread${extname(import.meta.url)}`, import.meta.url), {
      name: "valkey",
      workerData: { socketPath },
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    await new Promise<void>((resolve, reject) => {
      thread.once("message", () => resolve());
      thread.once("error", reject);
      thread.once("exit", (code) => reject(new Error(`the embedded Valkey exited with ${code}`)));
    });
    // Keeps the thread from holding the process open, and its late errors from ending it.
    thread.unref();
    thread.on("error", () => {});
    thread.once("exit", () => {
      if (!closed) start().catch(() => {});
    });
  };

  try {
    await start();
  } catch (error) {
    closed = true;
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    socketPath,
    close: async () => {
      closed = true;
      await thread.terminate();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
