import { type Command, Option } from "commander";

import { examples } from "./examples.ts";
import type { ExitCode, Io } from "./io.ts";

/** The commands that read what a run has left, and call nothing. */
export function addLooking(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command("status")
    .description("counts, cost and the causes of errors of a run; without a directory: all runs")
    .argument("[run-dir]", "a run directory, or one that holds some")
    .option(
      "--redis <url>",
      "also the runs of all machines there (NIGHTSHIFT_REDIS_URL), without a directory",
    )
    .option("--json", "one JSON object per run on stdout")
    .addHelpText(
      "after",
      examples("status", "status runs/reviews-20260102T020000Z", "status runs --json"),
    )
    .action(async (directory: string | undefined, flags: object) => {
      const { statusCommand } = await import("./status.ts");
      done(await statusCommand(directory ?? null, flags, io));
    });

  program
    .command("verify")
    .description("prove that no item is lost, none is there twice and no line is torn")
    .argument("<run-dir>", "a run directory")
    .option("--json", "the result as JSON on stdout")
    .option("--quiet", "say nothing when all is well")
    .addHelpText("after", examples("verify runs/reviews-20260102T020000Z"))
    .action(async (directory: string, flags: object) => {
      const { verifyCommand } = await import("./verify.ts");
      done(await verifyCommand(directory, flags, io));
    });

  program
    .command("export")
    .description("write the records joined with their answers again, also in the middle of a run")
    .argument("<run-dir>", "a run directory")
    .addOption(new Option("--format <format>", "default: as the input").choices(["csv", "jsonl"]))
    .option("--csv-bom", "begin the CSV with a byte order mark, for Excel")
    .option("--csv-safe", "escape cells that a spreadsheet would run as formulas")
    .option("--json", "the result as JSON on stdout")
    .option("--quiet", "say nothing")
    .addHelpText(
      "after",
      examples(
        "export runs/reviews-20260102T020000Z --format jsonl",
        "export runs/reviews-20260102T020000Z --csv-bom",
      ),
    )
    .action(async (directory: string, flags: object) => {
      const { exportCommand } = await import("./export.ts");
      done(await exportCommand(directory, flags, io));
    });
}
