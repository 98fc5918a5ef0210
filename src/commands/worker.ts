import type { MetricsAddress } from "../metrics/http-server.ts";
import type { WorkerEvent } from "../run/worker/events.ts";
import { startWorker } from "../run/worker/start-worker.ts";
import { systemClock } from "../system/clock.ts";
import { type LogLevel, openStderrLog } from "../system/log.ts";
import { manyLines } from "../terminal/screen-text.ts";
import { createWorkerLines } from "../terminal/worker-line.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

/** What `nightshift worker` takes. */
export interface WorkerFlags {
  readonly redis?: string;
  readonly baseUrl?: string;
  readonly concurrency: number;
  readonly runs: string;
  readonly once?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly logLevel: LogLevel;
  readonly metricsPort?: MetricsAddress;
}

/** Helps the runs on a shared Redis, and tells how that goes. */
export async function workerCommand(flags: WorkerFlags, io: Io): Promise<ExitCode> {
  const say = (text: string): void => void io.stderr.write(`${manyLines(text)}\n`);
  const sayUnlessQuiet = (text: string): void => {
    if (flags.quiet !== true) say(text);
  };
  const showProgress = createWorkerLines(systemClock, sayUnlessQuiet);
  const onEvent = (event: WorkerEvent): void => {
    if (flags.json === true) io.stdout.write(`${JSON.stringify(event)}\n`);
    switch (event.event) {
      case "metrics":
        sayUnlessQuiet(`metrics: ${event.url}/metrics`);
        break;
      case "online":
        sayUnlessQuiet(`worker online for ${event.base_url}: waiting for runs`);
        break;
      case "joined":
        sayUnlessQuiet(`helping ${event.run_id}`);
        break;
      case "left":
        sayUnlessQuiet(`left ${event.run_id}`);
        break;
      case "warning":
        say(`warning: ${event.message}`);
        break;
      case "redis_lost":
        say("the connection to Redis is lost: trying again; nothing is lost with it");
        break;
      case "redis_back":
        say(`Redis is back after ${event.seconds} s`);
        break;
      case "progress":
        showProgress(event);
        break;
      case "ended":
        sayUnlessQuiet(`worker ended: ${event.completed} completed, ${event.failed} failed`);
        break;
    }
  };
  const result = await startWorker({
    environment: io.environment,
    baseUrl: flags.baseUrl ?? null,
    redis: flags.redis ?? null,
    concurrency: flags.concurrency,
    runs: flags.runs,
    once: flags.once ?? false,
    metrics: flags.metricsPort ?? null,
    log: openStderrLog(flags.logLevel, {}),
    onEvent,
    signal: io.signal,
  });
  onEvent({ event: "ended", ...result });
  return EXIT.ok;
}
