import { Command, CommanderError, Option } from "commander";

import { RunStopped } from "../errors.ts";
import { readEnvironmentIn } from "../system/env.ts";
import { VERSION } from "../system/version.ts";
import { renderError } from "../terminal/error-text.ts";
import { withTypedCommands } from "../terminal/typed-commands.ts";
import { examples } from "./examples.ts";
import { addHousekeeping } from "./housekeeping.ts";
import { watchStop } from "./interrupted.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";
import {
  addAttemptOptions,
  addJobOptions,
  addReportOptions,
  delimiterOption,
  millisecondsOrRange,
  nonNegative,
  port,
  positive,
  positiveInteger,
  repeatable,
  wholeNumber,
} from "./options.ts";
import { addScheduling } from "./scheduling.ts";
import { addShared } from "./sharing.ts";

/**
 * Runs one command line.
 *
 * @returns the exit code; whatever was thrown on the way has been told on stderr.
 */
export async function main(argv: readonly string[], signal: AbortSignal): Promise<number> {
  let color = false;
  let typed = (text: string): string => text;
  const stopNotice = watchStop(signal, process.stderr);
  try {
    const workingDirectory = process.cwd();
    const environment = readEnvironmentIn(workingDirectory);
    color = process.stderr.isTTY && !environment.noColor;
    typed = (text) => withTypedCommands(text, environment.launcher);
    const io: Io = {
      // What programs read stays as it is.
      stdout: argv.includes("--json") ? process.stdout : typing(process.stdout, typed),
      stderr: typing(process.stderr, typed),
      signal,
      stopNotice,
      environment,
      typed,
      workingDirectory,
      color,
    };
    let code: ExitCode = EXIT.ok;
    const program = createProgram(io, (result) => (code = result));
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    // Commander has told already what was wrong, or shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    process.stderr.write(typed(`${renderError(error, { color })}\n`));
    return error instanceof RunStopped ? EXIT.stopped : EXIT.usage;
  }
}

/** A stream for people, which has what is typed in its texts as it is typed here. */
function typing(stream: NodeJS.WriteStream, typed: (text: string) => string): Io["stderr"] {
  return {
    write: (text) => stream.write(typed(text)),
    // Asked each time: a terminal may change its size.
    get isTTY() {
      return stream.isTTY;
    },
    get columns() {
      return stream.columns;
    },
    get rows() {
      return stream.rows;
    },
  };
}

/** The command tree: flags, help and which function answers; nothing else. */
function createProgram(io: Io, done: (code: ExitCode) => void): Command {
  const program = new Command("nightshift")
    .description("Runs a file of prompts through an OpenAI-compatible gateway: every answer, once.")
    .version(VERSION)
    .showHelpAfterError("(--help tells more)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
    .addHelpText("after", PROGRAM_HELP);

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

  addShared(program, io, done);
  program
    .command("init")
    .description("write a commented job file from an input's header")
    .argument("<input>", "a CSV or JSONL file")
    .option("--out <file>", "where to write it; default: beside the input")
    .option("--encoding <name>", "encoding of the input, such as gb18030")
    .addOption(delimiterOption())
    .option("--force", "overwrite an existing job file")
    .addHelpText(
      "after",
      examples(
        "init reviews.csv",
        "init reviews.csv --out jobs/reviews.yaml",
        "init umfrage.csv --delimiter ';' --encoding gb18030",
      ),
    )
    .action(async (input: string, flags: object) => {
      const { initCommand } = await import("./init.ts");
      done(await initCommand(input, flags, io));
    });

  program
    .command("models")
    .description("list the models that the gateway offers to your key")
    .option("--base-url <url>", "address of the gateway (NIGHTSHIFT_BASE_URL)")
    .option("--json", "as NDJSON on stdout")
    .addHelpText("after", examples("models", "models --json"))
    .action(async (flags: object) => {
      const { modelsCommand } = await import("./models.ts");
      done(await modelsCommand(flags, io));
    });

  addScheduling(program, io, done);
  addHousekeeping(program, io, done);
  addSandbox(program, io, done);
  return program;
}

function addSandbox(program: Command, io: Io, done: (code: ExitCode) => void): void {
  const list = (text: string): string[] => text.split(",").map((name) => name.trim());
  program
    .command("sandbox")
    .description("serve a stand-in gateway on this machine, for rehearsals and tests")
    .option("--port <n>", "port on 127.0.0.1; 0 takes any", port, 8787)
    .option("--seed <n>", "chance that repeats", wholeNumber)
    .option("--chaos <rates>", "faults by rate: 429=0.05,500=0.02,timeout=0.01")
    .option("--ttft <ms>", "milliseconds to the first token, or 200-400", millisecondsOrRange)
    .option("--tps <n>", "tokens per second", positive)
    .option("--jitter <sigma>", "log-normal spread of both", nonNegative)
    .option("--rpm <n>", "requests per minute and key", positive)
    .option("--tpm <n>", "tokens per minute and key", positive)
    .option("--max-concurrency <n>", "calls at once per key", positiveInteger)
    .option("--limit-window <ms>", "within which rpm and tpm hold (default: a minute)", positive)
    .option("--burst <n>", "a token bucket of this size instead of a sliding window", positive)
    .addOption(
      new Option("--retry-after <form>", "what a 429 tells").choices([
        "none",
        "seconds",
        "ms",
        "http-date",
      ]),
    )
    .addOption(
      new Option("--rate-headers <kind>", "x-ratelimit headers").choices(["none", "openai"]),
    )
    .addOption(
      new Option("--limit-body <kind>", "body of a 429").choices(["json", "empty", "html"]),
    )
    .option("--balance <usd>", "US dollars on each account", nonNegative)
    .option("--models <names>", "comma-separated", list)
    .addOption(
      new Option("--profile <name>", "which gateway software it imitates").choices([
        "newapi",
        "oneapi",
        "sub2api",
        "openai",
      ]),
    )
    .option("--answer <template>", "echo, label:a,b, json or lorem:200")
    .option("--no-ledger", "keep counters only, not every call")
    .option("--json", "events as NDJSON on stdout")
    .option("--quiet", "say nothing")
    .addHelpText("after", SANDBOX_HELP)
    .action(async (flags: object) => {
      const { sandbox } = await import("./sandbox.ts");
      await sandbox(flags, io);
      done(EXIT.ok);
    });
}

const PROGRAM_HELP = `
Examples:
  $ nightshift init reviews.csv                  a job file to start from
  $ nightshift run reviews.yaml --dry-run        what it would ask and cost
  $ nightshift run reviews.yaml                  run it; the same again continues it
  $ nightshift status                            all runs below runs/
  $ nightshift sandbox                           a gateway to rehearse with, free

The key is read from NIGHTSHIFT_API_KEY (in the environment or in .env), never from a flag.
Exit codes: 0 all completed, 1 wrong usage or input, 2 some items failed, 3 stopped but resumable.`;

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

Ctrl-C finishes what is in flight, a second one stops at once; the same command continues.
A run lives in runs/<job>-<time>.`;

const RETRY_HELP = `
Examples:
  $ nightshift retry runs/reviews-20260102T020000Z
  $ nightshift retry runs/reviews-20260102T020000Z --where code=timeout --timeout 3m
  $ nightshift retry runs/reviews-20260102T020000Z --where code=truncated --param max_tokens=800
  $ nightshift retry runs/reviews-20260102T020000Z --where class=item --model gpt-4o

Model, limits and the like that are not given are the run's own.
\`nightshift status <run-dir>\` shows the causes and the command for each.`;

const SANDBOX_HELP = `
Examples:
  $ nightshift sandbox --chaos 429=0.05,500=0.02,timeout=0.01 --ttft 200
  $ NIGHTSHIFT_BASE_URL=http://127.0.0.1:8787/v1 NIGHTSHIFT_API_KEY=sk-demo nightshift run jobs/reviews.yaml

Keys: sk-demo (no limits), sk-rpm60, sk-tpm, sk-broke, sk-lowbalance, sk-expired, sk-limited.`;
