import { randomUUID } from "node:crypto";

import { messageOf, RunStopped, UsageError } from "../../errors.ts";
import type { ResolvedJob } from "../../job/resolved-job.ts";
import type { Clock } from "../../system/clock.ts";
import type { RedisAccess } from "../../system/env.ts";
import type { RunResult } from "../events.ts";
import { openTickClaims } from "./claims.ts";
import type { OnSchedulerEvent, SkippedEvent } from "./events.ts";
import { JobSchedule } from "./job-schedule.ts";
import { JobShelf } from "./job-shelf.ts";
import type { FiringOrder } from "./job-work.ts";
import { bePresent, type Presence } from "./presence.ts";
import type { ScheduledJob } from "./scheduled-job.ts";

export interface SchedulerParts {
  /** Directories of job files, and job files. */
  readonly targets: readonly string[];
  readonly workingDirectory: string;
  /** Where schedulers on other machines are met; null for none. */
  readonly redis: RedisAccess | null;
  readonly clock: Clock;
  readonly onEvent: OnSchedulerEvent;
  fire(order: FiringOrder): Promise<RunResult>;
  /** Tells whoever wants to know that a tick was left out. */
  noteSkipped(job: ResolvedJob, skipped: SkippedEvent): Promise<void>;
  /** Sends what waits to be told; returns what went wrong. */
  sendNotices(): Promise<string[]>;
  /** Aborts to stop: what is in flight is finished and recorded first. */
  readonly signal: AbortSignal;
}

/** How often files and other schedulers are looked at. */
const LOOK_EVERY_MS = 1_000;
const SHORTEST_SLEEP_MS = 50;
const SEND_EVERY_MS = 2_000;
/** At the end, for what was to be told of it. */
const LAST_SEND_MS = 2_000;

/**
 * Starts runs when they are due, until it is told to stop. Runs go on in this process: a stop drains
 * them, and the next scheduler continues those that this one dies with.
 *
 * @throws UsageError where there is nothing to follow.
 */
export async function runScheduler(parts: SchedulerParts): Promise<void> {
  const { clock, onEvent, redis, signal } = parts;
  const scheduler = randomUUID();
  const claims = redis === null ? null : await openTickClaims(redis, scheduler, clock, signal);
  const trouble = new Trouble(onEvent);
  const shelf = new JobShelf(parts.targets, parts.workingDirectory, onEvent);
  const presences = new Map<string, Presence>();
  const schedules = new Map<string, JobSchedule>();
  /** Of jobs that are followed no more, as long as a run of theirs goes on. */
  const leaving = new Set<JobSchedule>();

  const follow = async (scheduled: ScheduledJob): Promise<void> => {
    const { runs } = scheduled;
    const presence = presences.get(runs) ?? (await bePresent(runs, scheduler, clock));
    presences.set(runs, presence);
    const schedule: JobSchedule = new JobSchedule(scheduled, {
      ...parts,
      scheduler,
      presence,
      claims,
      onEvent: (event) => {
        onEvent(event);
        if (event.event !== "skipped") return;
        void trouble.in(null, () => parts.noteSkipped(schedule.scheduled.job, event));
      },
    });
    schedules.set(scheduled.file, schedule);
  };
  const takeUp = async (): Promise<void> => {
    const jobs = await shelf.look();
    for (const [file, schedule] of schedules) {
      const now = jobs.get(file);
      const { job, runs } = schedule.scheduled;
      if (now?.job.name === job.name && now.runs === runs) schedule.change(now);
      else {
        schedules.delete(file);
        leaving.add(schedule);
      }
    }
    for (const [file, scheduled] of jobs) if (!schedules.has(file)) await follow(scheduled);
  };

  let sending = Promise.resolve();
  let cancelSend = (): void => {};
  const send = (): void => {
    sending = trouble
      .in("notify", async () => {
        const [problem] = await parts.sendNotices();
        if (problem !== undefined) throw new Error(problem);
      })
      .then(() => {
        if (!signal.aborted) cancelSend = clock.after(SEND_EVERY_MS, send);
      });
  };
  send();

  try {
    await takeUp();
    if (schedules.size === 0) throw nothingToFollow(parts.targets);
    while (!signal.aborted) {
      let wakeAt = clock.now() + LOOK_EVERY_MS;
      for (const schedule of schedules.values()) {
        try {
          wakeAt = Math.min(wakeAt, (await schedule.look()) ?? wakeAt);
        } catch (error) {
          // A disk that is full or a Redis that is away: what is due stays due.
          onEvent({
            event: "trouble",
            job: schedule.scheduled.job.name,
            message: messageOf(error),
          });
        }
      }
      for (const schedule of leaving) if (schedule.running === 0) leaving.delete(schedule);
      await clock.sleep(Math.max(SHORTEST_SLEEP_MS, wakeAt - clock.now()), signal).catch(() => {});
      if (signal.aborted) break;
      await trouble.in(null, takeUp);
    }
  } finally {
    const all = [...schedules.values(), ...leaving];
    const runs = all.reduce((sum, schedule) => sum + schedule.running, 0);
    if (signal.aborted) onEvent({ event: "stopping", runs });
    await Promise.all(all.map((schedule) => schedule.stop(stopReason(signal))));
    cancelSend();
    await Promise.race([
      sending.then(() => parts.sendNotices().catch(() => [])),
      clock.sleep(LAST_SEND_MS),
    ]);
    for (const presence of presences.values()) await presence.leave().catch(() => {});
    await claims?.close();
  }
}

/** What goes wrong again and again, and is told once. */
class Trouble {
  readonly #onEvent: OnSchedulerEvent;
  readonly #told = new Map<string | null, string>();

  constructor(onEvent: OnSchedulerEvent) {
    this.#onEvent = onEvent;
  }

  /** Does something; null when it fails. */
  async in<T>(job: string | null, act: () => Promise<T>): Promise<T | null> {
    try {
      const result = await act();
      this.#told.delete(job);
      return result;
    } catch (error) {
      const message = messageOf(error);
      if (this.#told.get(job) !== message) this.#onEvent({ event: "trouble", job, message });
      this.#told.set(job, message);
      return null;
    }
  }
}

function stopReason({ reason }: AbortSignal): RunStopped {
  return reason instanceof RunStopped
    ? reason
    : new RunStopped("interrupted", "the scheduler stopped", "Start it again: it goes on.");
}

function nothingToFollow(targets: readonly string[]): UsageError {
  return new UsageError(
    `no job file in ${targets.join(", ")} has a schedule that can be followed. ` +
      'Add one, for example: schedule: { cron: "0 2 * * *", tz: Asia/Shanghai }',
  );
}
