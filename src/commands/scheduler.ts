import { noteSkipped, sendNotices } from "../run/notify.ts";
import { fire } from "../run/scheduler/fire.ts";
import { runScheduler } from "../run/scheduler/scheduler.ts";
import { systemClock } from "../system/clock.ts";
import { resolveAccess, resolveRedis } from "../system/env.ts";
import type { LogLevel } from "../system/log.ts";
import { schedulerLine } from "../terminal/scheduler-text.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

export interface SchedulerFlags {
  readonly baseUrl?: string;
  readonly redis?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly logLevel?: LogLevel;
}

/** Starts runs by their schedules until it is told to stop. */
export async function schedulerCommand(
  targets: readonly string[],
  flags: SchedulerFlags,
  io: Io,
): Promise<ExitCode> {
  const { environment, workingDirectory, signal } = io;
  // A missing key is told now, not at two o'clock.
  resolveAccess(environment, flags.baseUrl ?? null);
  const { stateDirectory, proxy, webhookUrl, webhookSecret } = environment;
  const notifier = {
    stateDirectory,
    workingDirectory,
    proxy,
    webhookUrl,
    webhookSecret,
    clock: systemClock,
  };
  await runScheduler({
    targets,
    workingDirectory,
    redis: resolveRedis(environment, flags.redis ?? null),
    clock: systemClock,
    signal,
    noteSkipped: async (job, { event: _event, job: _job, ...skipped }) =>
      noteSkipped(job, skipped, notifier),
    sendNotices: () => sendNotices(notifier),
    onEvent: (event) => {
      const at = new Date(systemClock.now()).toISOString();
      if (flags.json === true) io.stdout.write(`${JSON.stringify({ at, ...event })}\n`);
      const isTrouble = event.event === "trouble" || event.event === "job_broken";
      if (flags.quiet === true && !isTrouble) return;
      const time = at.replace(/\.\d+/, "").replace("T", " ");
      io.stderr.write(`${time} ${schedulerLine(event, workingDirectory)}\n`);
    },
    fire: (order) =>
      fire(order, {
        environment,
        workingDirectory,
        ...(flags.baseUrl !== undefined && { baseUrl: flags.baseUrl }),
        ...(flags.redis !== undefined && { redis: flags.redis }),
        ...(flags.logLevel !== undefined && { logLevel: flags.logLevel }),
      }),
  });
  return EXIT.ok;
}
