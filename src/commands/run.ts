import { hasFailedWith } from "../ledger/select.ts";
import type { MetricsAddress } from "../metrics/http-server.ts";
import { dryRun } from "../run/dry-run.ts";
import type { RunEvent, RunResult } from "../run/events.ts";
import { type RunOptions, run } from "../run/start.ts";
import { systemClock } from "../system/clock.ts";
import { resolveBaseUrl } from "../system/env.ts";
import type { LogLevel } from "../system/log.ts";
import { renderDryRun } from "../terminal/dry-run-text.ts";
import { createProgressWriter } from "../terminal/progress-writer.ts";
import { manyLines } from "../terminal/screen-text.ts";
import { renderFailed, renderSummary } from "../terminal/summary.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";
import { type JobFlags, overridesOf } from "./job-flags.ts";

/** What every command takes that calls the gateway for items. */
export interface ReportedFlags extends JobFlags {
  readonly baseUrl?: string;
  readonly redis?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly logLevel?: LogLevel;
  readonly metricsPort?: MetricsAddress;
}

/** What `nightshift run` takes. */
export interface RunFlags extends ReportedFlags {
  readonly new?: boolean;
  readonly dryRun?: boolean;
  /** False for `--no-worker`. */
  readonly worker?: boolean;
}

const JSON_PROGRESS_EVERY_MS = 1_000;

/** Runs a job, or an input with flags, and says how it went. */
export async function runCommand(target: string, flags: RunFlags, io: Io): Promise<ExitCode> {
  if (flags.dryRun === true) return showDryRun(target, flags, io);
  return report(flags, io, (options) =>
    run(target, { ...options, fresh: flags.new ?? false, works: flags.worker ?? true }),
  );
}

/** Does something that takes the time of a run, and tells how it goes and how it went. */
export async function report(
  flags: ReportedFlags,
  io: Io,
  act: (options: RunOptions) => Promise<RunResult>,
): Promise<ExitCode> {
  const reporter = await createReporter(flags, io);
  try {
    const result = await act({
      overrides: overridesOf(flags),
      environment: io.environment,
      workingDirectory: io.workingDirectory,
      signal: io.signal,
      onEvent: reporter.onEvent,
      ...(flags.baseUrl !== undefined && { baseUrl: flags.baseUrl }),
      ...(flags.redis !== undefined && { redis: flags.redis }),
      ...(flags.logLevel !== undefined && { logLevel: flags.logLevel }),
      ...(flags.metricsPort !== undefined && { metrics: flags.metricsPort }),
    });
    const cut =
      result.usage.items.failed > 0 &&
      (await hasFailedWith("truncated", result.directory, result.run_id));
    reporter.end(result, cut);
    return exitCodeOf(result);
  } finally {
    reporter.close();
  }
}

function exitCodeOf(result: RunResult): ExitCode {
  if (result.state !== "finished") return EXIT.stopped;
  return result.usage.items.failed > 0 ? EXIT.someFailed : EXIT.ok;
}

/** Tells people or programs what a run does. */
async function createReporter(
  flags: { readonly json?: boolean; readonly quiet?: boolean },
  io: Io,
): Promise<{
  readonly onEvent: (event: RunEvent) => void;
  /** @param cut whether items failed for want of `max_tokens`. */
  end(result: RunResult, cut: boolean): void;
  close(): void;
}> {
  const { color, workingDirectory } = io;
  const json = flags.json ?? false;
  const quiet = flags.quiet ?? false;
  const writer = await createProgressWriter({
    stream: io.stderr,
    clock: systemClock,
    color,
    quiet,
  });
  const note = (text: string): void => writer.note(io.typed(text));
  if (!quiet) io.stopNotice.by(note);
  let lastProgressAt = -Infinity;
  const emit = (event: RunEvent): void => {
    if (!json) return;
    if (event.event === "progress") {
      const now = systemClock.monotonic();
      if (now - lastProgressAt < JSON_PROGRESS_EVERY_MS) return;
      lastProgressAt = now;
    }
    io.stdout.write(`${JSON.stringify(event)}\n`);
  };
  return {
    onEvent: (event) => {
      emit(event);
      switch (event.event) {
        case "progress": {
          // What is typed counts for the width of the bar.
          const { waiting } = event;
          writer.update({ ...event, waiting: waiting === null ? null : io.typed(waiting) });
          break;
        }
        case "warning":
          note(`warning: ${event.message}`);
          break;
        case "metrics":
          if (!quiet) note(`metrics: ${event.url}/metrics`);
          break;
        case "redis_lost":
          note("the connection to Redis is lost: trying again; nothing is lost with it");
          break;
        case "redis_back":
          note(`Redis is back after ${event.seconds} s`);
          break;
        case "paused":
          note(`paused from elsewhere: \`nightshift resume ${event.run_id}\` lets it go on`);
          break;
        case "resumed":
          note("resumed");
          break;
        case "started": {
          const done = event.completed + event.failed;
          if (!event.continued || quiet || done >= event.items) break;
          note(`continuing ${event.directory}: ${done} of ${event.items} items are done`);
          break;
        }
        case "item_failed":
        case "ended":
          break;
      }
    },
    end: (result, cut) => {
      writer.done();
      emit({ event: "ended", ...result });
      const options = { color, workingDirectory, cut };
      // What to do about a run that stopped, or items that failed, is said even when nothing else is.
      const remedy =
        result.reason === null
          ? renderFailed(result, options)
          : `${result.reason.message}\n${result.reason.remedy}`;
      if (!quiet) io.stderr.write(`${renderSummary(result, options)}\n`);
      else if (remedy !== null) io.stderr.write(`nightshift: ${remedy}\n`);
    },
    close: () => writer.done(),
  };
}

async function showDryRun(target: string, flags: RunFlags, io: Io): Promise<ExitCode> {
  const { warnings, ...report } = await dryRun(
    target,
    overridesOf(flags),
    {
      baseUrl: resolveBaseUrl(io.environment, flags.baseUrl ?? null),
      workingDirectory: io.workingDirectory,
      clock: systemClock,
    },
    io.signal,
  );
  for (const message of warnings) io.stderr.write(`warning: ${manyLines(message)}\n`);
  if (flags.json === true) {
    for (const message of warnings) {
      io.stdout.write(`${JSON.stringify({ event: "warning", message })}\n`);
    }
    io.stdout.write(`${JSON.stringify({ event: "dry_run", ...report })}\n`);
  } else {
    io.stdout.write(`${renderDryRun(report, { color: io.color })}\n`);
  }
  return EXIT.ok;
}
