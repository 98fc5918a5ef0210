import type { Command } from "commander";

import { examples } from "./examples.ts";
import type { ExitCode, Io } from "./io.ts";
import { addLogLevel, addReportOptions } from "./options.ts";

const JOBS_DIRECTORY = "jobs";

/** The commands that follow schedules. */
export function addScheduling(program: Command, io: Io, done: (code: ExitCode) => void): void {
  addLogLevel(program.command("scheduler"), "what each run.log holds", "info")
    .description("start runs by the schedules of their job files, until stopped")
    .argument("<jobs...>", "directories of job files, or job files")
    .option("--base-url <url>", "address of the gateway (NIGHTSHIFT_BASE_URL)")
    .option(
      "--redis <url>",
      "shared Redis or Valkey (NIGHTSHIFT_REDIS_URL): several schedulers fire each tick once",
    )
    .option("--json", "events as NDJSON on stdout")
    .option("--quiet", "tell of trouble only")
    .addHelpText("after", SCHEDULER_HELP)
    .action(async (targets: string[], flags: object) => {
      const { schedulerCommand } = await import("./scheduler.ts");
      done(await schedulerCommand(targets, flags, io));
    });

  const schedule = program
    .command("schedule")
    .description("what is scheduled, when it fires next, and how it went")
    .addHelpText("after", SCHEDULE_HELP);
  schedule
    .command("list")
    .description("each job's schedule, next time, last result and how long it took")
    .argument("[jobs...]", "directories of job files, or job files", [JOBS_DIRECTORY])
    .option("--json", "as NDJSON on stdout")
    .addHelpText("after", examples("schedule list", "schedule list jobs/nightly.yaml --json"))
    .action(async (targets: string[], flags: object) => {
      const { scheduleListCommand } = await import("./schedule.ts");
      done(await scheduleListCommand(targets, flags, io));
    });
  schedule
    .command("next")
    .description("the next three times, by the job's own clock and in UTC")
    .argument("[jobs...]", "directories of job files, or job files", [JOBS_DIRECTORY])
    .option("--json", "as NDJSON on stdout")
    .addHelpText("after", examples("schedule next jobs/nightly.yaml"))
    .action(async (targets: string[], flags: object) => {
      const { scheduleNextCommand } = await import("./schedule.ts");
      done(await scheduleNextCommand(targets, flags, io));
    });
  addReportOptions(schedule.command("run"))
    .description("fire a job now, in a run directory of its own, whatever its schedule says")
    .argument("<job.yaml>", "a job file with a schedule")
    .option("--base-url <url>", "address of the gateway (NIGHTSHIFT_BASE_URL)")
    .addHelpText("after", examples("schedule run jobs/nightly.yaml"))
    .action(async (file: string, flags: object) => {
      const { scheduleRunCommand } = await import("./schedule.ts");
      done(await scheduleRunCommand(file, flags, io));
    });
}

const SCHEDULER_HELP = `
Examples:
  $ nightshift scheduler jobs/                  every job file with a \`schedule\`
  $ nightshift scheduler jobs/nightly.yaml      this one
  $ nightshift scheduler jobs/ --redis redis://10.0.0.5:6379   on two machines: each tick runs once
  $ nightshift schedule next jobs/              when, without starting anything

Job files are watched: a changed one counts at once, a broken one is told and keeps its last good
form. SIGTERM and Ctrl-C finish what is in flight and exit with 0; started again it goes on.`;

const SCHEDULE_HELP = `
Examples:
  $ nightshift schedule list                    all of jobs/
  $ nightshift schedule next jobs/nightly.yaml
  $ nightshift schedule run jobs/nightly.yaml   now`;
