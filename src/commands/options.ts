import { type Command, InvalidArgumentError, Option } from "commander";

import type { LogLevel } from "../system/log.ts";

/** The flags that say what is asked about which records. */
export function addJobOptions(command: Command): Command {
  return command
    .option("--out <dir>", "run directory; may hold {{name}} {{date}} {{time}} {{run_id}}")
    .option("--prompt <template>", "the user message, a Liquid template over the columns")
    .option("--system <template>", "the system message")
    .option("--id-column <column>", "column that names the items; its values must differ")
    .option("--encoding <name>", "encoding of the input, such as gb18030")
    .addOption(delimiterOption())
    .option("--csv-bom", "begin output.csv with a byte order mark, for Excel")
    .option("--csv-safe", "escape cells of output.csv that a spreadsheet would run as formulas")
    .option("--first <n>", "only the first n records", positiveInteger);
}

/** The flags that say how calls are made. */
export function addAttemptOptions(command: Command): Command {
  return command
    .option("--model <name>", "model to ask")
    .addOption(repeatable("--param <key=value>", "a field of the request, JSON value; repeatable"))
    .option("--concurrency <n>", "calls in flight (default: the job's, else 64)", positiveInteger)
    .option("--rpm <n>", "requests per minute of the account", positive)
    .option("--tpm <n>", "tokens per minute of the account", positive)
    .option("--budget-usd <n>", "US dollars that the run may spend in all", positive)
    .option("--budget-tokens <n>", "tokens that the run may use in all", positiveInteger)
    .option("--budget-requests <n>", "calls that the run may make in all", positiveInteger)
    .option(
      "--attempts <n>",
      "calls per item at most; those that an outage swallowed do not count (default: the job's, else 6)",
      positiveInteger,
    )
    .option(
      "--timeout <duration>",
      "time for an answer, such as 90s or 5m; streamed, for its next piece (default: the job's, else 60s)",
    )
    .option(
      "--max-outage <duration>",
      "how long to wait for a gateway that is away (default: the job's, else 24h)",
    )
    .option("--stream", "ask for streamed answers")
    .option("--dedupe", "ask identical requests once and share the answer")
    .option("--no-dedupe", "ask each by itself, whatever the job says")
    .option("--incremental", "carry over what earlier runs of the job have answered")
    .option("--no-incremental", "ask everything, whatever the job says")
    .option("--base-url <url>", "address of the gateway (NIGHTSHIFT_BASE_URL)");
}

/** The flags that say where the work goes through and what is told of it. */
export function addReportOptions(command: Command): Command {
  addRedisOption(command, "default: a private one")
    .addOption(metricsOption())
    .option("--json", "events as NDJSON on stdout")
    .option("--quiet", "no progress and no summary");
  return addLogLevel(command, "what run.log holds", "info");
}

export function addRedisOption(command: Command, without: string): Command {
  return command.option(
    "--redis <url>",
    `shared Redis or Valkey (NIGHTSHIFT_REDIS_URL); ${without}`,
  );
}

export function addLogLevel(command: Command, description: string, level: LogLevel): Command {
  return command.addOption(
    new Option("--log-level <level>", description)
      .choices(["trace", "debug", "info", "warn", "error", "silent"])
      .default(level),
  );
}

export function metricsOption(): Option {
  return new Option(
    "--metrics-port <[host:]port>",
    "serve /healthz, /readyz and Prometheus /metrics; on 127.0.0.1 unless a host is named",
  ).argParser(metricsAddress);
}

export function delimiterOption(): Option {
  return new Option("--delimiter <sign>", "what separates the columns of a CSV").choices([
    ",",
    ";",
    "|",
    "tab",
  ]);
}

/** An option that may be given several times. */
export function repeatable(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
  );
}

export function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new InvalidArgumentError("It must be a whole number, 1 or more.");
  }
  return Number(text);
}

export function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError("It must be a number above 0.");
  }
  return value;
}

export function nonNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError("It must be a number, 0 or more.");
  }
  return value;
}

/** `300`, or `200-400` for anything between. */
export function millisecondsOrRange(text: string): number | { min: number; max: number } {
  const dash = text.indexOf("-", 1);
  if (dash === -1) return nonNegative(text);
  const [min, max] = [nonNegative(text.slice(0, dash)), nonNegative(text.slice(dash + 1))];
  if (min > max) throw new InvalidArgumentError("The smaller number comes first.");
  return { min, max };
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

/** `9464`, `0.0.0.0:9464` or `[::]:9464`. */
export function metricsAddress(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(":");
  const host = colon === -1 ? "127.0.0.1" : text.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  if (host === "") throw new InvalidArgumentError("It must be a port, or host:port.");
  return { host, port: port(text.slice(colon + 1)) };
}

export function port(text: string): number {
  const value = wholeNumber(text);
  if (value > 65_535) throw new InvalidArgumentError("It must be a port: 0 to 65535.");
  return value;
}
