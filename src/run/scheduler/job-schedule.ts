import { RunStopped } from "../../errors.ts";
import { readManifest } from "../../ledger/manifest.ts";
import { decide, type Decision, entriesOf, nextDue } from "../../schedule/decide.ts";
import {
  recordOf,
  type OpenTick,
  type StoppedTick,
  type TickEntry,
  type TickRecord,
} from "../../schedule/record.ts";
import type { TickClaims } from "./claims.ts";
import { firstSight } from "./first-sight.ts";
import { iso } from "./iso.ts";
import { JobWork, type JobWorkParts } from "./job-work.ts";
import type { Presence } from "./presence.ts";
import type { ScheduledJob } from "./scheduled-job.ts";
import { TickBook } from "./tick-book.ts";

export interface JobScheduleParts extends JobWorkParts {
  readonly presence: Presence;
}

/** Ticks that other machines are asked about at once, when this one has been away. */
const MOST_ASKED = 500;
const FORMER_POLL_MS = 200;

/** Follows one job's schedule: decides what becomes of each tick, and sees to it. */
export class JobSchedule {
  #scheduled: ScheduledJob;
  readonly #book: TickBook;
  readonly #work: JobWork;
  readonly #parts: JobScheduleParts;
  #isStopping = false;

  constructor(scheduled: ScheduledJob, parts: JobScheduleParts) {
    this.#scheduled = scheduled;
    this.#parts = parts;
    this.#book = new TickBook(scheduled.runs, scheduled.job.name, parts.clock);
    this.#work = new JobWork(this.#book, parts);
  }

  get scheduled(): ScheduledJob {
    return this.#scheduled;
  }

  /** Runs that go on here. */
  get running(): number {
    return this.#work.size;
  }

  /** Follows the job as it is written now; what goes on already stays as it was. */
  change(scheduled: ScheduledJob): void {
    this.#scheduled = scheduled;
  }

  /**
   * Does what has come due.
   *
   * @returns when something comes due next; null when nothing will.
   */
  async look(): Promise<number | null> {
    const { cron, timeZone } = this.#scheduled;
    let record = await this.#record();
    if (record.seen?.cron !== cron || record.seen.tz !== timeZone) {
      await this.#book.update(async (entries) =>
        this.#told(await firstSight(entries, this.#scheduled, this.#now())),
      );
      record = await this.#record();
    }
    this.#giveWay(record);
    if (!this.#isStopping && (await this.#hasWork(record))) {
      let begin = (): void => {};
      await this.#book.update(async (entries) => {
        const decided = await this.#decide(recordOf(entries));
        begin = decided.begin;
        return decided.entries;
      });
      // What begins is on disk first.
      begin();
      record = await this.#record();
    }
    return nextDue(this.#scheduled.plan, record);
  }

  /** Stops what goes on, and begins nothing more. */
  async stop(reason: RunStopped): Promise<void> {
    this.#isStopping = true;
    this.#work.stop(reason);
    await this.#work.settled();
  }

  #now(): number {
    return this.#parts.clock.now();
  }

  async #record(): Promise<TickRecord> {
    return recordOf(await this.#book.read());
  }

  async #hasWork(record: TickRecord): Promise<boolean> {
    const due = nextDue(this.#scheduled.plan, record);
    if (due !== null && due <= this.#now()) return true;
    const { isBusy, gone } = await this.#look(record.open);
    if (gone.length > 0) return true;
    return !isBusy && (record.waiting !== null || this.#resumable(record) !== null);
  }

  /** Whether some scheduler works on one of these, and those whose scheduler is gone. */
  async #look(open: readonly OpenTick[]): Promise<{ isBusy: boolean; gone: OpenTick[] }> {
    const { scheduler, presence } = this.#parts;
    const gone: OpenTick[] = [];
    for (const one of open) {
      const isAlive =
        one.by === scheduler ? this.#work.has(one.tick) : await presence.isAlive(one.by);
      if (!isAlive) gone.push(one);
    }
    return { isBusy: gone.length < open.length, gone };
  }

  /** Nobody else decides meanwhile. */
  async #decide(before: TickRecord): Promise<{ entries: TickEntry[]; begin: () => void }> {
    const { scheduler, claims } = this.#parts;
    const { plan, job } = this.#scheduled;
    const now = this.#now();
    const { isBusy: isBusyHere, gone } = await this.#look(before.open);
    const closed: TickEntry[] = [];
    const abandoned: number[] = [];
    for (const { tick, directory } of gone) {
      if (await holdsRun(directory)) {
        closed.push({ kind: "ended", at: iso(now), tick: iso(tick), result: "interrupted" });
      } else abandoned.push(tick);
    }
    // In this order: who holds the job has claimed its tick before.
    const isBusy = isBusyHere || (await claims?.isHeldElsewhere(job.name)) === true;
    const elsewhere = claims === null ? [] : await this.#elsewhere(before, claims);
    const handled = new Set([...before.handled, ...elsewhere.map(({ tick }) => Date.parse(tick))]);
    const record = { ...before, handled };

    const decision = decide(plan, record, { now, isBusy, abandoned });
    const noted = (...more: TickEntry[]): TickEntry[] => [
      ...closed,
      ...this.#told([...elsewhere, ...more]),
    ];
    const { fire } = decision;
    if (fire === null) {
      const one = isBusy ? null : this.#resumable(record);
      const entries = noted(...entriesOf(decision, now, scheduler));
      if (one === null) return { entries, begin: () => {} };
      const { tick, directory } = one;
      return {
        entries: [
          ...entries,
          { kind: "started", at: iso(now), tick: iso(tick), by: scheduler, directory },
        ],
        begin: () => this.#resume(one),
      };
    }
    const others = (await claims?.claim(job.name, fire)) ?? null;
    if (others === null) {
      return {
        entries: noted(...entriesOf(decision, now, scheduler)),
        begin: () => this.#begin(fire, decision),
      };
    }
    const lost: TickEntry = { kind: "elsewhere", at: iso(now), tick: iso(fire), by: others.by };
    const rest = entriesOf({ ...decision, fire: null }, now, scheduler);
    // Until its run has begun the other may die: then the tick is there for us.
    return { entries: others.isConfirmed ? noted(...rest, lost) : closed, begin: () => {} };
  }

  /** Ticks since the last look that schedulers on other machines have fired. */
  async #elsewhere(
    { since, handled }: TickRecord,
    claims: TickClaims,
  ): Promise<(TickEntry & { kind: "elsewhere" })[]> {
    const { plan, job } = this.#scheduled;
    const now = this.#now();
    const ticks: number[] = [];
    let tick = plan.times.next(since);
    while (tick !== null && tick <= now && ticks.length < MOST_ASKED) {
      if (!handled.has(tick)) ticks.push(tick);
      tick = plan.times.next(tick);
    }
    const taken = ticks.length === 0 ? [] : [...(await claims.taken(job.name, ticks))];
    return taken.flatMap(([at, { by, isConfirmed }]) =>
      isConfirmed ? [{ kind: "elsewhere" as const, at: iso(now), tick: iso(at), by }] : [],
    );
  }

  /** The run to go on with at once: one whose scheduler was stopped or has died. */
  #resumable({ stopped }: TickRecord): StoppedTick | null {
    const one = stopped.find(({ as }) => as === "interrupted");
    if (one === undefined || this.#work.size > 0) return null;
    return this.#work.isLeft(this.#scheduled, one) ? null : one;
  }

  #resume(one: StoppedTick): void {
    const scheduled = this.#scheduled;
    this.#work.begin(one.tick, scheduled.job.name, (signal) =>
      this.#work.resume(scheduled, one, signal),
    );
  }

  #begin(tick: number, { replaces }: Decision): void {
    const scheduled = this.#scheduled;
    const job = scheduled.job.name;
    if (replaces) this.#work.stop(replacedBy(tick));
    this.#work.begin(tick, job, async (signal) => {
      if (replaces) await this.#formerGone(tick, signal);
      const { stopped } = await this.#record();
      for (const one of stopped) {
        if (signal.aborted) break;
        if (!this.#work.isLeft(scheduled, one)) await this.#work.resume(scheduled, one, signal);
      }
      await this.#work.run(scheduled, tick, signal);
    });
  }

  /** Waits until no other scheduler works on the job: the book tells it to stop. */
  async #formerGone(tick: number, signal: AbortSignal): Promise<void> {
    const { claims, clock } = this.#parts;
    for (;;) {
      const others = (await this.#record()).open.filter((one) => one.tick !== tick);
      const { isBusy } = await this.#look(others);
      const isHeld = await claims?.isHeldElsewhere(this.#scheduled.job.name);
      if ((!isBusy && isHeld !== true) || signal.aborted) return;
      await clock.sleep(FORMER_POLL_MS, signal).catch(() => {});
    }
  }

  /** Stops what goes on here where another scheduler is about to replace it. */
  #giveWay({ open }: TickRecord): void {
    if (this.#scheduled.plan.overlap !== "replace") return;
    for (const { tick, by, directory } of open) {
      if (by !== this.#parts.scheduler && directory === null) {
        this.#work.stop(replacedBy(tick), tick);
      }
    }
  }

  /** Tells of the lines that somebody should hear of. */
  #told(entries: readonly TickEntry[]): TickEntry[] {
    const job = this.#scheduled.job.name;
    const { onEvent } = this.#parts;
    for (const entry of entries) {
      if (entry.kind === "skipped") {
        const { kind: _kind, at: _at, ...skipped } = entry;
        onEvent({ event: "skipped", job, ...skipped });
      } else if (entry.kind === "waiting") onEvent({ event: "waiting", job, tick: entry.tick });
      else if (entry.kind === "elsewhere") {
        onEvent({ event: "elsewhere", job, tick: entry.tick, by: entry.by });
      }
    }
    return [...entries];
  }
}

async function holdsRun(directory: string | null): Promise<boolean> {
  return directory !== null && (await readManifest(directory).catch(() => null)) !== null;
}

function replacedBy(tick: number): RunStopped {
  return new RunStopped(
    "cancelled",
    `replaced by the run of ${iso(tick)}`,
    "`nightshift run` with the same job and this directory as --out finishes it all the same.",
  );
}
