import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { RunStopped } from "../../../../src/errors.ts";
import { writeManifest } from "../../../../src/ledger/manifest.ts";
import type { RunResult } from "../../../../src/run/events.ts";
import type { TickClaims } from "../../../../src/run/scheduler/claims.ts";
import type { SchedulerEvent } from "../../../../src/run/scheduler/events.ts";
import { JobSchedule } from "../../../../src/run/scheduler/job-schedule.ts";
import type { FiringOrder } from "../../../../src/run/scheduler/job-work.ts";
import { bePresent, type Presence } from "../../../../src/run/scheduler/presence.ts";
import type { ScheduledJob } from "../../../../src/run/scheduler/scheduled-job.ts";
import type { Plan } from "../../../../src/schedule/decide.ts";
import { fireTimes } from "../../../../src/schedule/fire-times.ts";
import { type Clock, systemClock } from "../../../../src/system/clock.ts";
import { aJob, aManifest, type Workspace } from "../jobs.ts";

/** A clock that shows what it is told to, and whose short waits are real. */
export class SetClock implements Clock {
  shows: string;

  constructor(shows: string) {
    this.shows = shows;
  }

  readonly now = (): number => Date.parse(`2026-01-${this.shows}:00Z`);
  readonly monotonic = (): number => systemClock.monotonic();
  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    systemClock.sleep(ms, signal);
  readonly after = (ms: number, callback: () => void): (() => void) =>
    systemClock.after(ms, callback);
}

/** A run that a scheduler has begun, and that ends when the test says so. */
export interface FakeRun {
  readonly tick: string;
  readonly directory: string;
  readonly isContinued: boolean;
  end(state?: "finished" | "paused", failed?: number): Promise<void>;
}

/** One scheduler following one job whose runs end when the test says so. */
export class Followed {
  readonly schedule: JobSchedule;
  readonly runs: FakeRun[] = [];
  readonly told: string[] = [];
  readonly #presence: Presence;

  private constructor(schedule: (followed: Followed) => JobSchedule, presence: Presence) {
    this.schedule = schedule(this);
    this.#presence = presence;
  }

  static async start(
    workspace: Workspace,
    clock: Clock,
    {
      name = "s1",
      claims = null,
      refusal = null,
      unfinished = "continue",
      ...plan
    }: Partial<Plan> & {
      name?: string;
      claims?: TickClaims | null;
      refusal?: Error | null;
      unfinished?: "continue" | "leave";
    } = {},
  ): Promise<Followed> {
    const presence = await bePresent(workspace.path, name, clock);
    const scheduled: ScheduledJob = {
      file: "jobs/nightly.yaml",
      job: aJob({ name: "nightly" }),
      plan: {
        times: fireTimes("0 2 * * *", "UTC"),
        overlap: "skip",
        catchUp: "none",
        jitterOf: () => 0,
        ...plan,
      },
      cron: "0 2 * * *",
      timeZone: "UTC",
      unfinished,
      runs: workspace.path,
    };
    return new Followed(
      (followed) =>
        new JobSchedule(scheduled, {
          scheduler: name,
          presence,
          claims,
          clock,
          onEvent: (event) => followed.told.push(toldText(event)),
          fire: (order) => {
            if (refusal !== null) return Promise.reject(refusal);
            return fakeRun(workspace, order, followed.runs);
          },
        }),
      presence,
    );
  }

  /** The ticks of the runs so far. */
  get ticks(): string[] {
    return this.runs.map(({ tick, isContinued }) => (isContinued ? `${tick} again` : tick));
  }

  /** As `kill -9` does it: what it was doing never ends, and others see that it is gone. */
  async die(): Promise<void> {
    await this.#presence.leave();
  }

  async stop(): Promise<void> {
    await this.schedule.stop(new RunStopped("interrupted", "stopped by SIGTERM", ""));
    await this.#presence.leave();
  }
}

async function fakeRun(
  { path }: Workspace,
  { tick, directory, signal, onStarted }: FiringOrder,
  runs: FakeRun[],
): Promise<RunResult> {
  const time = new Date(tick).toISOString().slice(8, 16);
  const at = directory ?? join(path, `nightly-${time.replace(":", "")}`);
  await mkdir(at, { recursive: true });
  const schedule = { tick: new Date(tick).toISOString(), job_file: "", by_hand: false };
  await writeManifest(at, aManifest({ job: { name: "nightly" }, schedule }));
  onStarted(at, directory !== null);
  return new Promise((resolve) => {
    const ended = (state: RunResult["state"], code: string | null, failed = 0): void => {
      const reason = code === null ? null : { code, message: code, remedy: "" };
      const usage = { items: { completed: 1, failed }, cost_usd: null };
      // As much of a result as the scheduler looks at.
      resolve({ directory: at, state, reason, usage } as unknown as RunResult);
    };
    signal.addEventListener("abort", () => {
      const { reason } = signal.reason as RunStopped;
      ended(reason === "cancelled" ? "cancelled" : "paused", reason);
    });
    runs.push({
      tick: time,
      directory: at,
      isContinued: directory !== null,
      end: async (state = "finished", failed = 0) => {
        ended(state, state === "paused" ? "account" : null, failed);
        await new Promise((soon) => setTimeout(soon, 100));
      },
    });
  });
}

function toldText(event: SchedulerEvent): string {
  if (event.event === "skipped") {
    return `skipped ${event.to.slice(8, 16)} ${event.reason}: ${event.detail}`;
  }
  if (event.event === "run_ended") return `${event.as} ${event.tick.slice(8, 16)}`;
  if (event.event === "elsewhere") return `elsewhere ${event.tick.slice(8, 16)} ${event.by}`;
  const hasMessage = event.event === "left" || event.event === "trouble";
  return hasMessage ? `${event.event}: ${event.message}` : event.event;
}
