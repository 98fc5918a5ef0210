import * as z from "zod";

const moment = z.iso.datetime();
/** Why a tick did not become a run. */
const skipReason = z.enum([
  /** The former run was still going on. */
  "overlap",
  /** No scheduler ran at the time. */
  "missed",
  /** No scheduler ran at the time, and a later firing makes up for it. */
  "made_up",
  /** The job, its input or its directory were at fault: nothing was called. */
  "refused",
]);

const endedAs = z.enum([
  "finished",
  /** Finished, but some items failed. */
  "failed",
  /** Trouble with the account, a budget, an outage, a disk: somebody has to see to it. */
  "paused",
  "cancelled",
  /** Its scheduler was stopped, or died. */
  "interrupted",
]);

const entrySchema = z.discriminatedUnion("kind", [
  /** From here on this schedule counts. */
  z.object({
    kind: z.literal("seen"),
    at: moment,
    /** Ticks after this one are the schedule's. */
    since: moment,
    cron: z.string(),
    tz: z.string().nullable(),
  }),
  /** The clock shows a time before ticks that have come due already: it was wrong then, or is now. */
  z.object({ kind: z.literal("set_back"), at: moment }),
  /** A scheduler is about to begin the run of a tick. */
  z.object({ kind: z.literal("claimed"), at: moment, tick: moment, by: z.string() }),
  /** A scheduler works on the run of a tick, for the first time or again. */
  z.object({
    kind: z.literal("started"),
    at: moment,
    tick: moment,
    by: z.string(),
    directory: z.string(),
  }),
  z.object({ kind: z.literal("ended"), at: moment, tick: moment, result: endedAs }),
  /** It fires when the former run has ended. */
  z.object({ kind: z.literal("waiting"), at: moment, tick: moment }),
  /** A scheduler on the same Redis, with a disk of its own, fires it. */
  z.object({ kind: z.literal("elsewhere"), at: moment, tick: moment, by: z.string() }),
  z.object({
    kind: z.literal("skipped"),
    at: moment,
    from: moment,
    to: moment,
    /** Ticks from the first to the last; null for more than were counted. */
    count: z.number().nullable(),
    reason: skipReason,
    detail: z.string(),
  }),
]);

/** One line of what became of a schedule's ticks. */
export type TickEntry = z.infer<typeof entrySchema>;
export type EndedAs = z.infer<typeof endedAs>;
export type SkippedEntry = Extract<TickEntry, { kind: "skipped" }>;

/** A run that a scheduler has begun and not ended, as far as the record tells. */
export interface OpenTick {
  readonly tick: number;
  /** Which scheduler. */
  readonly by: string;
  /** Null before the run has one. */
  readonly directory: string | null;
}

/** A run that stopped half-way. */
export interface StoppedTick {
  readonly tick: number;
  readonly directory: string;
  readonly as: "paused" | "interrupted";
  /** How often some scheduler has worked on it. */
  readonly starts: number;
}

/** What became of a schedule's ticks. */
export interface TickRecord {
  /** The schedule that was seen last; null when none ever was. */
  readonly seen: { readonly cron: string; readonly tz: string | null } | null;
  /** Ticks up to here have been looked at. */
  readonly since: number;
  /** Ticks that must never fire (again). */
  readonly handled: ReadonlySet<number>;
  readonly open: readonly OpenTick[];
  readonly stopped: readonly StoppedTick[];
  readonly waiting: number | null;
}

/** A line as it was written; null for one that is torn or of a later version. */
export function parseEntry(line: string): TickEntry | null {
  try {
    return entrySchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** The last lines, and those before them that still matter. */
export function compacted(entries: readonly TickEntry[], most: number): TickEntry[] {
  const { open, stopped, waiting } = recordOf(entries);
  const matters = new Set([...[...open, ...stopped].map(({ tick }) => tick), waiting]);
  const seen = entries.findLast(({ kind }) => kind === "seen");
  return entries.filter(
    (entry, at) =>
      entry === seen ||
      at >= entries.length - most ||
      ("tick" in entry && matters.has(Date.parse(entry.tick))),
  );
}

/** Sums up what the lines say, in their order. */
export function recordOf(entries: Iterable<TickEntry>): TickRecord {
  let seen: TickRecord["seen"] = null;
  let since = Number.NEGATIVE_INFINITY;
  let waiting: number | null = null;
  const handled = new Set<number>();
  const open = new Map<number, OpenTick>();
  const stopped = new Map<number, StoppedTick>();
  const starts = new Map<number, number>();
  for (const entry of entries) {
    if (entry.kind === "seen") {
      seen = { cron: entry.cron, tz: entry.tz };
      since = Date.parse(entry.since);
      continue;
    }
    if (entry.kind === "set_back") {
      since = Math.min(since, Date.parse(entry.at));
      continue;
    }
    if (entry.kind === "skipped") {
      const to = Date.parse(entry.to);
      // What was only missed may fire after all, should the clock turn out to have been wrong.
      if (entry.reason === "overlap" || entry.reason === "refused") handled.add(to);
      if (waiting === to) waiting = null;
      open.delete(to);
      since = Math.max(since, to);
      continue;
    }
    const tick = Date.parse(entry.tick);
    since = Math.max(since, tick);
    handled.add(tick);
    if (entry.kind === "waiting") waiting = tick;
    else if (waiting === tick) waiting = null;
    if (entry.kind === "claimed") open.set(tick, { tick, by: entry.by, directory: null });
    if (entry.kind === "started") {
      open.set(tick, { tick, by: entry.by, directory: entry.directory });
      starts.set(tick, (starts.get(tick) ?? 0) + 1);
      stopped.delete(tick);
    }
    if (entry.kind === "ended" || entry.kind === "elsewhere") {
      const directory = open.get(tick)?.directory ?? null;
      open.delete(tick);
      if (directory === null || entry.kind === "elsewhere") continue;
      if (entry.result !== "paused" && entry.result !== "interrupted") continue;
      stopped.set(tick, { tick, directory, as: entry.result, starts: starts.get(tick) ?? 1 });
    }
  }
  return {
    seen,
    since,
    handled,
    open: [...open.values()],
    stopped: [...stopped.values()],
    waiting,
  };
}
