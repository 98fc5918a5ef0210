import type { FireTimes } from "./fire-times.ts";
import type { SkippedEntry, TickEntry, TickRecord } from "./record.ts";

/** A job's schedule, ready to be followed. */
export interface Plan {
  readonly times: FireTimes;
  readonly overlap: "skip" | "queue" | "replace";
  readonly catchUp: "none" | "once";
  /** How much later than its tick a firing begins. The same for every scheduler that asks. */
  readonly jitterOf: (tick: number) => number;
}

/** How things stand while a scheduler decides; nobody else decides meanwhile. */
export interface Situation {
  readonly now: number;
  /** Whether a run of the job goes on, here or elsewhere. */
  readonly isBusy: boolean;
  /** Ticks whose scheduler died before their run began. */
  readonly abandoned: readonly number[];
}

export interface Decision {
  /** The clock was set back, so that ticks come again. Those that were handled do not fire twice. */
  readonly isSetBack: boolean;
  /** The tick whose run is to begin now. */
  readonly fire: number | null;
  /** The run that goes on is to be stopped first. */
  readonly replaces: boolean;
  /** A tick that is to wait for the end of the former run. */
  readonly wait: number | null;
  readonly skipped: readonly SkippedEntry[];
}

/** A tick is on time for this long: restarting a scheduler takes a moment. */
export const GRACE_MS = 60_000;
const MOST_COUNTED = 20_000;
/** How many of the last ticks are looked at, where there were too many to count. */
const LAST_LOOKED_AT = 100;

const NOBODY_RAN = "no scheduler was running";
const GOES_ON = "the former run is still going on";

/** What a scheduler has to do about the ticks that have come due since the last one. */
export function decide(plan: Plan, record: TickRecord, situation: Situation): Decision {
  const { now, isBusy } = situation;
  const due = dueTicks(plan, record, situation);
  // One that waits goes first.
  const waiting = isBusy ? record.waiting : null;
  const first = isBusy ? null : record.waiting;
  const isSetBack = record.since - now > GRACE_MS;
  const decision = { isSetBack, fire: first, replaces: false, wait: null, skipped: [] };
  if (due === null) return decision;
  const { to: newest, before } = due;
  const skip = (ticks: Due, reason: SkippedEntry["reason"], detail: string): SkippedEntry =>
    skippedEntry(now, ticks, reason, detail);
  if (plan.catchUp === "none" && now - newest - plan.jitterOf(newest) > GRACE_MS) {
    return { ...decision, skipped: [skip(due, "missed", NOBODY_RAN)] };
  }
  const missed = before === null ? [] : [skip(before, "missed", NOBODY_RAN)];
  const madeUp =
    before === null || plan.catchUp === "none"
      ? missed
      : [
          skip(
            before,
            "made_up",
            `no scheduler was running; the run of ${iso(newest)} makes up for it`,
          ),
        ];
  if (!isBusy && first === null) return { ...decision, fire: newest, skipped: madeUp };
  if (plan.overlap === "replace" && first === null) {
    return { ...decision, fire: newest, replaces: true, skipped: madeUp };
  }
  if (plan.overlap === "queue" && waiting === null) {
    return { ...decision, wait: newest, skipped: madeUp };
  }
  const overlapping = skip(
    only(newest),
    "overlap",
    waiting === null ? GOES_ON : `${GOES_ON}, and another waits for its end already`,
  );
  return { ...decision, skipped: [...missed, overlapping] };
}

/** When there is something to decide next; null when never. */
export function nextDue(plan: Plan, record: TickRecord): number | null {
  let tick = plan.times.next(record.since);
  while (tick !== null && record.handled.has(tick)) tick = plan.times.next(tick);
  return tick === null ? null : tick + plan.jitterOf(tick);
}

/** The lines that a decision leaves in the record. */
export function entriesOf(
  { isSetBack, fire, wait, skipped }: Decision,
  now: number,
  scheduler: string,
): TickEntry[] {
  const at = iso(now);
  const entries: TickEntry[] = isSetBack ? [{ kind: "set_back", at }, ...skipped] : [...skipped];
  if (fire !== null) entries.push({ kind: "claimed", at, tick: iso(fire), by: scheduler });
  if (wait !== null) entries.push({ kind: "waiting", at, tick: iso(wait) });
  return entries;
}

/** Ticks from one to another. */
interface Due {
  readonly from: number;
  readonly to: number;
  /** Null for more than were counted. */
  readonly count: number | null;
}

/** Due and not handled; `before` are all but the newest. */
function dueTicks(
  { times, jitterOf }: Plan,
  record: TickRecord,
  { now, abandoned }: Situation,
): (Due & { readonly before: Due | null }) | null {
  let from: number | null = null;
  let previous: number | null = null;
  let newest: number | null = null;
  let count: number | null = 0;
  const add = (tick: number): void => {
    from ??= tick;
    previous = newest;
    newest = tick;
    if (count !== null) count += 1;
  };
  for (const tick of [...abandoned].sort((a, b) => a - b)) add(tick);
  const start = record.since;
  for (let tick = times.next(start); tick !== null && tick <= now; tick = times.next(tick)) {
    if (tick + jitterOf(tick) > now) break;
    if (record.handled.has(tick)) continue;
    add(tick);
    if (count !== null && count > MOST_COUNTED) {
      const pace: number = (tick - start) / count;
      count = null;
      tick = Math.max(tick, now - pace * LAST_LOOKED_AT);
    }
  }
  if (from === null || newest === null) return null;
  const before =
    previous === null ? null : { from, to: previous, count: count === null ? null : count - 1 };
  return { from, to: newest, count, before };
}

function only(tick: number): Due {
  return { from: tick, to: tick, count: 1 };
}

function skippedEntry(
  now: number,
  { from, to, count }: Due,
  reason: SkippedEntry["reason"],
  detail: string,
): SkippedEntry {
  return { kind: "skipped", at: iso(now), from: iso(from), to: iso(to), count, reason, detail };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
