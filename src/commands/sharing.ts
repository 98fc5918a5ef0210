import type { Command } from "commander";

import type { ExitCode, Io } from "./io.ts";
import { addLogLevel, addRedisOption, metricsOption, positiveInteger } from "./options.ts";
import type { SteerFlags } from "./steer.ts";
import type { WorkerFlags } from "./worker.ts";

const NEEDED = "needed";

/** What needs a Redis that several machines share. */
export function addShared(program: Command, io: Io, done: (code: ExitCode) => void): void {
  addLogLevel(
    addRedisOption(program.command("worker"), NEEDED),
    "what is logged on stderr",
    "silent",
  )
    .description("help every run on a shared Redis, from any machine, until stopped")
    .option("--base-url <url>", "address of the gateway that the key is for (NIGHTSHIFT_BASE_URL)")
    .option("--concurrency <n>", "calls in flight, over all runs", positiveInteger, 64)
    .option("--runs <pattern>", "only runs whose id matches, such as 'reviews-*'", "*")
    .option("--once", "end when nothing is left to do")
    .addOption(metricsOption())
    .option("--json", "events as NDJSON on stdout")
    .option("--quiet", "no progress")
    .addHelpText("after", WORKER_HELP)
    .action(async (flags: WorkerFlags) => {
      const { workerCommand } = await import("./worker.ts");
      done(await workerCommand(flags, io));
    });

  const steering = {
    pause: "hold a run on a shared Redis: what is in flight is finished, its owner waits",
    resume: "let a paused run go on",
    cancel: "end a run on a shared Redis: what is in flight is finished; `run` can go on with it",
  } as const;
  for (const name of ["pause", "resume", "cancel"] as const) {
    addRedisOption(program.command(name), NEEDED)
      .description(steering[name])
      .argument("<run-id>", "as `nightshift status` names it")
      .option("--json", "the result as JSON on stdout")
      .addHelpText("after", steerHelp(name))
      .action(async (runId: string, flags: SteerFlags) => {
        const { steerCommand } = await import("./steer.ts");
        done(await steerCommand(name, runId, flags, io));
      });
  }
}

const WORKER_HELP = `
Examples:
  $ nightshift worker --redis redis://10.0.0.5:6379
  $ nightshift worker --concurrency 200 --runs 'reviews-*'   (NIGHTSHIFT_REDIS_URL names the Redis)
  $ nightshift worker --once                                until all is done, for a machine by the hour
  $ nightshift worker --metrics-port 0.0.0.0:9464           /healthz, /readyz and Prometheus /metrics

It finds the runs by itself, the old and the new, and takes from all of them in turn. The key is its
own (NIGHTSHIFT_API_KEY), and goes only to its own base URL. Ctrl-C or SIGTERM finishes what is in
flight.`;

const steerHelp = (name: string): string => `
Examples:
  $ nightshift status --redis redis://10.0.0.5:6379            the runs there, with their ids
  $ nightshift ${name} reviews-20260102t020000z-x3k2a --redis redis://10.0.0.5:6379
  $ nightshift ${name} reviews-20260102t020000z-x3k2a           (NIGHTSHIFT_REDIS_URL names the Redis)

A run that has its own queue (no --redis) is ended by Ctrl-C, and goes on with the same command.`;
