import type { Command } from "commander";

import type { ExitCode, Io } from "./io.ts";
import { addAttemptOptions, addJobOptions, addReportOptions, repeatable } from "./options.ts";

/** The commands that ask: a job's items, and those again that failed. */
export function addRunning(program: Command, io: Io, done: (code: ExitCode) => void): void {
  addReportOptions(addAttemptOptions(addJobOptions(program.command("run"))))
    .description(
      "run a job file, or an input with --model and --prompt; continues an unfinished run",
    )
    .argument(
      "<job>",
      "job.yaml, or an input: .csv .tsv .jsonl .ndjson, also .gz; a pattern of such in quotes; - for stdin",
    )
    .option("--new", "start afresh, even where an unfinished run could be continued")
    .option("--no-worker", "only enqueue and record; workers elsewhere do the calling")
    .option("--dry-run", "read and render everything, estimate tokens and cost, call nothing")
    .addHelpText("after", RUN_HELP)
    .action(async (target: string, flags: object) => {
      const { runCommand } = await import("./run.ts");
      done(await runCommand(target, flags, io));
    });

  addAttemptOptions(addReportOptions(program.command("retry")))
    .description("run the failed items of a run again; each keeps its error until it completes")
    .argument("<run-dir>", "a run directory")
    .addOption(
      repeatable(
        "--where <condition>",
        "only items with code=…, class=item|retry|throttled or status=…; of several, all must hold",
      ),
    )
    .addHelpText("after", RETRY_HELP)
    .action(async (directory: string, flags: object) => {
      const { retryCommand } = await import("./retry.ts");
      done(await retryCommand(directory, flags, io));
    });
}

const RUN_HELP = `
Examples:
  $ nightshift run jobs/reviews.yaml
  $ nightshift run reviews.csv --model gpt-4o-mini --prompt 'Summarize: {{ text }}' --param max_tokens=100
  $ nightshift run 'inbox/*.csv' --model gpt-4o-mini --prompt 'Summarize: {{ text }}'
  $ nightshift run batch.jsonl --out runs/batch             lines as OpenAI's Batch API takes them
  $ nightshift run jobs/reviews.yaml --dry-run              what it would ask and cost
  $ nightshift run jobs/reviews.yaml --first 5              try five records; without it, the rest follow
  $ nightshift run jobs/reviews.yaml --budget-usd 5         pause before more than 5 dollars are spent
  $ nightshift run jobs/reviews.yaml --metrics-port 9464    Prometheus asks 127.0.0.1:9464/metrics
  $ nightshift run jobs/reviews.yaml --no-worker --redis redis://10.0.0.5:6379    workers do the calling

Ctrl-C finishes what is in flight, a second one stops at once; the same command continues. Closing
the terminal is like one Ctrl-C; a run that was started with nohup goes on.
A run lives in runs/<job>-<time>.`;

const RETRY_HELP = `
Examples:
  $ nightshift retry runs/reviews-20260102T020000Z
  $ nightshift retry runs/reviews-20260102T020000Z --where code=timeout --timeout 3m
  $ nightshift retry runs/reviews-20260102T020000Z --where code=truncated --param max_tokens=800
  $ nightshift retry runs/reviews-20260102T020000Z --where class=item --model gpt-4o

Model, limits and the like that are not given are the run's own.
\`nightshift status <run-dir>\` shows the causes and the command for each.`;
