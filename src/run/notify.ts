import { join } from "node:path";

import { messageOf, UsageError } from "../errors.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import { lockDirectory } from "../ledger/lock.ts";
import { deliverDue } from "../notify/deliver.ts";
import { putLetter, readLetters } from "../notify/outbox.ts";
import type { Clock } from "../system/clock.ts";
import type { ProxySettings } from "../system/env.ts";
import { VERSION } from "../system/version.ts";
import { RUNS_DIRECTORY } from "./directory.ts";
import type { RunResult } from "./events.ts";

/** What telling somebody takes. */
export interface Notifier {
  /** Where Nightshift keeps its state; null keeps what is to be told beside the runs. */
  readonly stateDirectory: string | null;
  readonly workingDirectory: string;
  readonly webhookUrl: string | null;
  readonly webhookSecret: string | null;
  readonly proxy: ProxySettings;
  readonly clock: Clock;
}

const LOCK_PAUSE_MS = 300;
const LOCK_PATIENCE_MS = 30_000;

/** What people may be told of, and how it is called on the wire. */
const EVENTS = {
  finished: "run.finished",
  failed: "run.failed",
  paused: "run.paused",
  skipped: "tick.skipped",
} as const;

/** Writes down what a run came to, for whoever wants to know. Nothing is sent yet. */
export async function noteResult(
  job: ResolvedJob,
  tick: number | null,
  result: RunResult,
  notifier: Notifier,
): Promise<void> {
  const kinds = result.state !== "finished" ? ["paused" as const] : finishedKinds(result);
  const kind = kinds.find((one) => job.notify?.on.includes(one));
  if (kind === undefined || result.already_finished || result.unmatched !== null) return;
  const { items, usage, cost_usd } = result.usage;
  await note(job, notifier, {
    event: EVENTS[kind],
    job: job.name,
    run_id: result.run_id,
    state: result.state,
    reason: result.reason,
    items,
    usage,
    cost_usd,
    paths: { directory: result.directory, ...result.files },
    tick: tick === null ? null : new Date(tick).toISOString(),
  });
}

/** Writes down that a tick of a schedule was left out. */
export async function noteSkipped(
  job: ResolvedJob,
  skipped: Readonly<Record<string, unknown>>,
  notifier: Notifier,
): Promise<void> {
  if (job.notify?.on.includes("skipped") !== true) return;
  await note(job, notifier, { event: EVENTS.skipped, job: job.name, ...skipped });
}

/**
 * Sends what waits to be told, from this run and from earlier ones. It takes its time beside
 * whatever else goes on; what it does not manage is there for the next process.
 *
 * @returns what went wrong, in words that hold no address.
 */
export async function sendNotices(notifier: Notifier): Promise<string[]> {
  const { clock, proxy } = notifier;
  const outbox = outboxOf(notifier);
  const secret = notifier.webhookSecret;
  const deadline = clock.monotonic() + LOCK_PATIENCE_MS;
  while ((await readLetters(outbox)).length > 0) {
    try {
      const lock = await lockDirectory(outbox, clock);
      try {
        const now = (): number => clock.now();
        const parts = { outbox, secret, proxy, version: VERSION, now };
        const deliveries = await deliverDue(parts);
        return deliveries.flatMap(({ letter, problem, isGivenUp }) =>
          problem === null
            ? []
            : [
                `${receiverOf(letter.url)} was not told of ${subjectOf(letter.notice)}: ${problem}; ` +
                  (isGivenUp ? "given up after a week" : "the next run or scheduler tries again"),
              ],
        );
      } finally {
        await lock.release();
      }
    } catch (error) {
      if (!(error instanceof UsageError) || clock.monotonic() > deadline) return [messageOf(error)];
      // Another process sends; it may have looked before our letter was there.
      await clock.sleep(LOCK_PAUSE_MS);
    }
  }
  return [];
}

function finishedKinds({ usage }: RunResult): ("failed" | "finished")[] {
  return usage.items.failed > 0 ? ["failed", "finished"] : ["finished"];
}

async function note(
  job: ResolvedJob,
  notifier: Notifier,
  notice: Readonly<Record<string, unknown>>,
): Promise<void> {
  const url = job.notify?.webhook ?? notifier.webhookUrl;
  if (url === null) return;
  await putLetter(outboxOf(notifier), url, notice, notifier.clock.now());
}

function outboxOf({ stateDirectory, workingDirectory }: Notifier): string {
  return stateDirectory === null
    ? join(workingDirectory, RUNS_DIRECTORY, ".outbox")
    : join(stateDirectory, "outbox");
}

/** The rest of the address often is a secret. */
function receiverOf(url: string): string {
  return URL.canParse(url) ? `the webhook at ${new URL(url).host}` : "the webhook";
}

function subjectOf({ job, run_id: runId }: Readonly<Record<string, unknown>>): string {
  return typeof runId === "string" ? `run ${runId}` : `a skipped firing of ${String(job)}`;
}
