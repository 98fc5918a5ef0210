import { messageOf, RunStopped } from "../../errors.ts";
import type { EndedAs, StoppedTick, TickEntry } from "../../schedule/record.ts";
import type { Clock } from "../../system/clock.ts";
import type { RunResult } from "../events.ts";
import type { TickClaims } from "./claims.ts";
import type { OnSchedulerEvent } from "./events.ts";
import { iso } from "./iso.ts";
import type { ScheduledJob } from "./scheduled-job.ts";
import type { TickBook } from "./tick-book.ts";

export interface JobWorkParts {
  /** Names this scheduler among others. */
  readonly scheduler: string;
  /** Null without a shared Redis. */
  readonly claims: TickClaims | null;
  readonly clock: Clock;
  readonly onEvent: OnSchedulerEvent;
  /** Starts the run of a tick, or continues it. */
  fire(order: FiringOrder): Promise<RunResult>;
}

export interface FiringOrder {
  readonly scheduled: ScheduledJob;
  readonly tick: number;
  /** The directory of a run to continue; null for a new one. */
  readonly directory: string | null;
  readonly signal: AbortSignal;
  /** Told when the run has its directory. */
  readonly onStarted: (directory: string, continued: boolean) => void;
}

/** A run that dies with its scheduler this often is left to somebody who looks at it. */
const MOST_STARTS = 5;
const HOLD_EVERY_MS = 20_000;

/** The runs of one job that go on in this process. */
export class JobWork {
  readonly #parts: JobWorkParts;
  readonly #book: TickBook;
  readonly #current = new Map<number, { stop: AbortController; done: Promise<void> }>();
  readonly #left = new Set<string>();

  constructor(book: TickBook, parts: JobWorkParts) {
    this.#book = book;
    this.#parts = parts;
  }

  get size(): number {
    return this.#current.size;
  }

  has(tick: number): boolean {
    return this.#current.has(tick);
  }

  /** Stops what goes on for ticks before one; what is in flight is finished and recorded first. */
  stop(reason: RunStopped, before = Number.POSITIVE_INFINITY): void {
    for (const [tick, { stop }] of this.#current) {
      if (tick < before) stop.abort(reason);
    }
  }

  /** Resolves when nothing goes on any more, whatever is begun meanwhile. */
  async settled(): Promise<void> {
    while (this.#current.size > 0) {
      await Promise.all([...this.#current.values()].map(({ done }) => done));
    }
  }

  /** Does something for a tick, after what goes on already; until its end the job is busy. */
  begin(tick: number, job: string, act: (signal: AbortSignal) => Promise<void>): void {
    const { claims, clock } = this.#parts;
    const stop = new AbortController();
    const former = [...this.#current.values()].map(({ done }) => done);
    const work = async (): Promise<void> => {
      let cancel = (): void => {};
      const hold = (): void => {
        void this.#hopefully(job, claims?.hold(job));
        cancel = clock.after(HOLD_EVERY_MS, hold);
      };
      if (claims !== null) hold();
      try {
        await Promise.all(former);
        await act(stop.signal);
      } catch (error) {
        this.#trouble(job, error);
      } finally {
        cancel();
        // Where a newer firing replaces this one, the job stays held.
        const isLast = this.#current.size === 1;
        if (isLast) await this.#hopefully(job, claims?.release(job));
        this.#current.delete(tick);
        // One may have begun while it was given up, and waits for this one.
        if (isLast && this.#current.size > 0) await this.#hopefully(job, claims?.hold(job));
      }
    };
    this.#current.set(tick, { stop, done: work() });
  }

  /** The run of a tick from its beginning; what comes of it is noted and told. */
  async run(scheduled: ScheduledJob, tick: number, signal: AbortSignal): Promise<void> {
    const job = scheduled.job.name;
    const failure = signal.aborted ? null : await this.#fire(scheduled, tick, null, signal);
    if (failure === null && !signal.aborted) return;
    if (signal.aborted) {
      await this.#neverBegan(job, tick, signal);
    } else {
      await this.#skip(job, tick, "refused", messageOf(failure));
      await this.#hopefully(job, this.#parts.claims?.confirm(job, tick));
    }
  }

  /** Goes on with a run that stopped half-way. */
  async resume(
    scheduled: ScheduledJob,
    { tick, directory }: StoppedTick,
    signal: AbortSignal,
  ): Promise<void> {
    const failure = await this.#fire(scheduled, tick, directory, signal);
    if (failure === null) return;
    const result = signal.aborted ? "interrupted" : "paused";
    await this.#book.note({ kind: "ended", at: this.#at(), tick: iso(tick), result });
    if (!signal.aborted) this.#leave(scheduled.job.name, directory, messageOf(failure));
  }

  /** Whether a run is left as it is; it is told why, once. */
  isLeft({ job, unfinished }: Pick<ScheduledJob, "job" | "unfinished">, one: StoppedTick): boolean {
    const why =
      unfinished === "leave"
        ? "it stopped half-way"
        : one.starts >= MOST_STARTS
          ? `it was begun ${one.starts} times, and never came to its end`
          : null;
    if (why !== null) this.#leave(job.name, one.directory, why);
    return this.#left.has(one.directory);
  }

  #leave(job: string, directory: string, message: string): void {
    if (this.#left.has(directory)) return;
    this.#left.add(directory);
    this.#parts.onEvent({ event: "left", job, directory, message });
  }

  /** Its turn has not come: a newer firing replaces it, or the scheduler stops. */
  async #neverBegan(job: string, tick: number, { reason }: AbortSignal): Promise<void> {
    // It stays open for whichever scheduler looks next.
    if (reason instanceof RunStopped && reason.reason === "interrupted") return;
    await this.#skip(job, tick, "overlap", messageOf(reason));
  }

  async #skip(
    job: string,
    tick: number,
    reason: "refused" | "overlap",
    detail: string,
  ): Promise<void> {
    const of = { from: iso(tick), to: iso(tick), count: 1, reason, detail };
    await this.#book.note({ kind: "skipped", at: this.#at(), ...of });
    this.#parts.onEvent({ event: "skipped", job, ...of });
  }

  /** @returns what kept the run from beginning; null when it has begun. */
  async #fire(
    scheduled: ScheduledJob,
    tick: number,
    directory: string | null,
    signal: AbortSignal,
  ): Promise<unknown> {
    const { scheduler, claims, clock, onEvent } = this.#parts;
    const job = scheduled.job.name;
    const ofTick = { job, tick: iso(tick) };
    const began = clock.monotonic();
    let noting = Promise.resolve();
    let hasBegun = false;
    const note = (entry: TickEntry): void => {
      noting = noting.then(() => this.#hopefully(job, this.#book.note(entry)));
    };
    try {
      const result = await this.#parts.fire({
        scheduled,
        tick,
        directory,
        signal,
        onStarted: (path, continued) => {
          hasBegun = true;
          note({
            kind: "started",
            at: this.#at(),
            tick: iso(tick),
            by: scheduler,
            directory: path,
          });
          void this.#hopefully(job, claims?.confirm(job, tick));
          onEvent({ event: "fired", ...ofTick, directory: path, continued });
        },
      });
      const as = endedAs(result);
      note({ kind: "ended", at: this.#at(), tick: iso(tick), result: as });
      const { items, cost_usd } = result.usage;
      onEvent({
        event: "run_ended",
        ...ofTick,
        directory: result.directory,
        as,
        message:
          result.reason === null ? null : `${result.reason.message}. ${result.reason.remedy}`,
        completed: items.completed,
        failed: items.failed,
        cost_usd,
        seconds: Math.round((clock.monotonic() - began) / 100) / 10,
      });
      return null;
    } catch (error) {
      if (!hasBegun) return error;
      note({ kind: "ended", at: this.#at(), tick: iso(tick), result: "paused" });
      this.#trouble(job, error);
      return null;
    } finally {
      await noting;
    }
  }

  #at(): string {
    return iso(this.#parts.clock.now());
  }

  #trouble(job: string, error: unknown): void {
    this.#parts.onEvent({ event: "trouble", job, message: messageOf(error) });
  }

  /** What may fail without harm: it is told. */
  async #hopefully(job: string, action: Promise<void> | undefined): Promise<void> {
    try {
      await action;
    } catch (error) {
      this.#trouble(job, error);
    }
  }
}

function endedAs({ state, reason, usage }: RunResult): EndedAs {
  if (state === "finished") return usage.items.failed > 0 ? "failed" : "finished";
  if (state === "cancelled") return "cancelled";
  return reason?.code === "interrupted" ? "interrupted" : "paused";
}
