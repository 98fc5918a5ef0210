import { join } from "node:path";

import { UsageError } from "../errors.ts";
import { parseDuration } from "../job/duration.ts";
import { cleanRedis } from "../run/clean-redis.ts";
import { cleanRuns } from "../run/clean.ts";
import { RUNS_DIRECTORY } from "../run/directory.ts";
import { systemClock } from "../system/clock.ts";
import { resolveRedis } from "../system/env.ts";
import { formatBytes, plural } from "../terminal/format.ts";
import { shortPath } from "../terminal/place.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

export interface CleanFlags {
  readonly keepLast?: number;
  /** `90d` */
  readonly olderThan?: string;
  readonly dryRun?: boolean;
  readonly redis?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Removes finished run directories that nobody needs any more, and what is stale on Redis. */
export async function cleanCommand(
  directory: string | null,
  flags: CleanFlags,
  io: Io,
): Promise<ExitCode> {
  const { environment, workingDirectory, signal } = io;
  const path = directory ?? join(workingDirectory, RUNS_DIRECTORY);
  const rules = { keepLast: flags.keepLast ?? null, olderThanMs: olderThan(flags.olderThan) };
  if (rules.keepLast === null && rules.olderThanMs === null) {
    throw new UsageError(
      "say which finished runs may go: --keep-last 30 (of each job), --older-than 90d, or both",
    );
  }
  const dryRun = flags.dryRun ?? false;
  const redis = resolveRedis(environment, flags.redis ?? null);
  const removed = await cleanRuns(path, rules, { clock: systemClock, dryRun });
  const ids = new Set(removed.map(({ run_id: id }) => id));
  const forgotten = redis === null ? [] : await cleanRedis(redis, path, ids, { dryRun, signal });

  if (flags.json === true) {
    for (const run of removed) {
      io.stdout.write(`${JSON.stringify({ event: "removed", dry_run: dryRun, ...run })}\n`);
    }
    for (const id of forgotten) {
      io.stdout.write(`${JSON.stringify({ event: "forgotten", dry_run: dryRun, run_id: id })}\n`);
    }
  }
  if (flags.quiet === true) return EXIT.ok;
  const would = dryRun ? "would be " : "";
  for (const { directory: place, bytes } of removed) {
    const name = shortPath(place, workingDirectory);
    io.stderr.write(`${name} ${would}removed (${formatBytes(bytes)})\n`);
  }
  for (const id of forgotten) io.stderr.write(`${id} ${would}forgotten by Redis\n`);
  const bytes = removed.reduce((sum, run) => sum + run.bytes, 0);
  io.stderr.write(`${plural(removed.length, "run")} ${would}removed, ${formatBytes(bytes)}\n`);
  return EXIT.ok;
}

function olderThan(text: string | undefined): number | null {
  if (text === undefined) return null;
  // Elsewhere a bare number counts seconds: here that would delete what was meant to stay for days.
  if (/^\s*[\d.]+\s*$/.test(text)) {
    throw new UsageError(`--older-than ${text} of what? Write ${text.trim()}d for days, or 24h`);
  }
  const ms = parseDuration(text);
  if (ms !== null) return ms;
  throw new UsageError(
    `--older-than ${JSON.stringify(text)} is no duration: write 90d, 24h or 30m`,
  );
}
