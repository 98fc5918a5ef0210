import type { Command } from "commander";

import { examples } from "./examples.ts";
import type { ExitCode, Io } from "./io.ts";
import { addRedisOption, wholeNumber } from "./options.ts";

/** The commands that keep the directory of runs in order. */
export function addHousekeeping(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command("runs")
    .description("list runs with their state, counts, cost, age and size")
    .argument("[dir]", "a directory that holds runs; default: runs/")
    .option("--json", "one JSON object per run on stdout")
    .addHelpText("after", examples("runs", "runs /srv/nightshift/runs --json"))
    .action(async (directory: string | undefined, flags: object) => {
      const { runsCommand } = await import("./runs.ts");
      done(await runsCommand(directory ?? null, flags, io));
    });

  addRedisOption(program.command("clean"), "without it none is looked at")
    .description("remove finished run directories, and what dead runs have left on Redis")
    .argument("[dir]", "a directory that holds runs; default: runs/")
    .option("--keep-last <n>", "keep the newest n of each job", wholeNumber)
    .option("--older-than <duration>", "only those that ended so long ago: 90d")
    .option("--dry-run", "only say what would go")
    .option("--json", "one JSON object per run on stdout")
    .option("--quiet", "say nothing")
    .addHelpText("after", CLEAN_HELP)
    .action(async (directory: string | undefined, flags: object) => {
      const { cleanCommand } = await import("./clean.ts");
      done(await cleanCommand(directory ?? null, flags, io));
    });
}

const CLEAN_HELP = `
Examples:
  $ nightshift clean --keep-last 30 --dry-run            of each job the newest 30 stay
  $ nightshift clean --keep-last 30 --older-than 90d     both must be so

An unfinished run, one that is worked on, and whatever is no run directory always stay.`;
