import { randomUUID } from "node:crypto";
import { hostname } from "node:os";

import { UsageError } from "../../errors.ts";
import { createGatewayClient } from "../../gateway/client.ts";
import { Governor } from "../../gateway/governor.ts";
import type { MetricsAddress } from "../../metrics/http-server.ts";
import { openAccountShare } from "../../queue/account-share.ts";
import type { Connection } from "../../queue/connection.ts";
import { startQueueServer } from "../../queue/server.ts";
import { accountOf } from "../../system/account.ts";
import { systemClock } from "../../system/clock.ts";
import { type Environment, resolveAccess, resolveRedis } from "../../system/env.ts";
import { readLearned } from "../../system/learned-limits.ts";
import type { Log } from "../../system/log.ts";
import { systemRandom } from "../../system/random.ts";
import { VERSION } from "../../system/version.ts";
import { keepLearned } from "../account.ts";
import { Closers } from "../closers.ts";
import { watchRedis } from "../redis-watch.ts";
import { serveMetrics } from "../serve-metrics.ts";
import type { WorkerEvent, WorkerResult } from "./events.ts";
import { untilUsable } from "./usable.ts";
import { Worker } from "./worker.ts";

export interface WorkerOptions {
  readonly environment: Environment;
  readonly baseUrl: string | null;
  readonly redis: string | null;
  /** Calls in flight at most, over all runs. */
  readonly concurrency: number;
  /** Ids of the runs to serve, in which `*` stands for any text. */
  readonly runs: string;
  readonly once: boolean;
  /** Where health and metrics are served; null serves none. */
  readonly metrics: MetricsAddress | null;
  readonly log: Log;
  readonly onEvent: (event: WorkerEvent) => void;
  readonly signal: AbortSignal;
}

/**
 * Helps the runs on a shared Redis until it is stopped.
 *
 * @throws UsageError without a Redis or a key, RunStopped where the gateway refuses the key:
 *   nothing was taken.
 */
export async function startWorker(options: WorkerOptions): Promise<WorkerResult> {
  const { environment, concurrency, log, onEvent, signal } = options;
  const [clock, random] = [systemClock, systemRandom];
  const redis = resolveRedis(environment, options.redis);
  if (redis === null) {
    throw new UsageError(
      "a worker needs the Redis that its runs are on: " +
        "add --redis redis://host:6379 (or set NIGHTSHIFT_REDIS_URL).",
    );
  }
  const access = resolveAccess(environment, options.baseUrl);
  const { stateDirectory, proxy } = environment;
  const holder = { access, stateDirectory, clock };
  const closers = new Closers();
  let connection: Connection | null = null;
  try {
    const metrics = await serveMetrics(
      options.metrics,
      {
        isConnected: () => connection?.status === "ready",
        isStopping: () => signal.aborted,
        clock,
      },
      closers,
      onEvent,
    );
    const client = createGatewayClient({
      ...access,
      // One more than the calls of items: the health check must not wait for one of them.
      connections: concurrency + 1,
      version: VERSION,
      clock,
      proxy,
    });
    closers.add(() => client.destroy());
    const server = await startQueueServer(redis, signal);
    closers.add(() => server.close());
    const { prefix, warnings } = server;
    ({ connection } = server);
    const unwatch = watchRedis({ connection, clock, log, onEvent });
    closers.add(async () => unwatch());
    for (const message of warnings) onEvent({ event: "warning", message });
    const place = { connection, prefix };
    await untilUsable(client, access.baseUrl, clock, signal, (message) =>
      onEvent({
        event: "warning",
        message:
          `${access.baseUrl} does not answer (${message}): waiting for it. ` +
          "If it never did, check NIGHTSHIFT_BASE_URL and your network.",
      }),
    );
    const account = accountOf(access);
    const learned = await readLearned(holder, account);
    const governor = new Governor({
      concurrency,
      rpm: null,
      tpm: null,
      ...(learned !== null && { learned }),
      share: openAccountShare(place, account, clock),
      clock,
      random,
    });
    closers.add(() => governor.close());
    const worker = new Worker({
      place,
      card: {
        id: randomUUID(),
        host: hostname(),
        pid: process.pid,
        base_url: access.baseUrl,
        runs: options.runs,
        concurrency,
      },
      client,
      governor,
      metrics,
      once: options.once,
      clock,
      random,
      log,
      onEvent,
      stopping: signal,
      ending: new AbortController().signal,
    });
    const result = await worker.work();
    await keepLearned(holder, governor.learned);
    return result;
  } catch (error) {
    // Stopped before it began: nothing was taken.
    if (signal.aborted && error === signal.reason) return { completed: 0, failed: 0 };
    throw error;
  } finally {
    await closers.close();
  }
}
