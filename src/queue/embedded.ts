import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";

import { UsageError } from "../errors.ts";

const RESTART_PAUSE_MS = 1_000;

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
  let thread: Worker | undefined;

  const start = async (): Promise<void> => {
    await rm(socketPath, { force: true });
    if (closed) return;
    const worker = new Worker(
      new URL(`./embedded-thread${extname(import.meta.url)}`, import.meta.url),
      {
        name: "valkey",
        workerData: { socketPath },
        execArgv: ["--disable-warning=ExperimentalWarning"],
      },
    );
    thread = worker;
    await new Promise<void>((resolve, reject) => {
      worker.once("message", ({ error }: { error: string | null }) => {
        if (error === null) resolve();
        else reject(cannotListen(socketPath, error));
      });
      worker.once("error", reject);
      worker.once("exit", (code) => reject(new Error(`the embedded Valkey exited with ${code}`)));
    });
    // Keeps the thread from holding the process open, and its late errors from ending it.
    worker.unref();
    worker.on("error", () => {});
    worker.once("exit", startAgain);
  };
  const startAgain = (): void => {
    if (closed) return;
    start().catch(() => setTimeout(startAgain, RESTART_PAUSE_MS).unref());
  };

  try {
    await start();
  } catch (error) {
    closed = true;
    await thread?.terminate();
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    socketPath,
    close: async () => {
      closed = true;
      await thread?.terminate();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function cannotListen(socketPath: string, error: string): UsageError {
  return new UsageError(
    `the built-in Valkey cannot listen at ${socketPath}: ${error}. ` +
      "Set TMPDIR to a short path that you may write to, or name a Redis with --redis.",
  );
}
