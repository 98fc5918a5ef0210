import { Cron } from "croner";

import { messageOf } from "./errors.ts";

/**
 * The times that a cron expression names, on a clock without any summer time: milliseconds are
 * those of `Date.UTC` of what the clock on the wall shows.
 */
export interface WallTimes {
  /** The first one after `wall`; null where there is none any more. */
  next(wall: number): number | null;
  /** Whether there is one in each hour of the days on which there is one at all. */
  readonly isEveryHour: boolean;
  /** Whether a day has more than one. */
  readonly isSeveralADay: boolean;
  /** The shortest time between two of the first few. */
  readonly shortestGapMs: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Any date will do: the times of a day are the same on every day that has some. */
const SOME_DAY = Date.UTC(2026, 0, 1);
const GAPS_LOOKED_AT = 100;

/**
 * Reads a cron expression: five fields, six with seconds first, or a name such as `@daily`.
 *
 * @throws Error that says what is wrong with it.
 */
export function parseCron(expression: string): WallTimes {
  const text = expression.trim();
  const fields = text.split(/\s+/).length;
  if (text.startsWith("@") ? !NAMES.has(text.toLowerCase()) : fields !== 5 && fields !== 6) {
    throw new Error(
      "write five fields (minute, hour, day of month, month, day of week), six with seconds first, " +
        `or one of ${[...NAMES].join(" ")}`,
    );
  }
  const cron = parse(text);
  const next = (wall: number): number | null => cron.nextRun(new Date(wall))?.getTime() ?? null;
  const first = next(SOME_DAY - 1);
  if (first === null) throw new Error("it never comes: no month that it names has such a day");
  const day = first - (first % DAY_MS);
  const second = next(first);
  return {
    next,
    isEveryHour: everyHour(next, day),
    isSeveralADay: second !== null && second < day + DAY_MS,
    shortestGapMs: shortestGap(next, first),
  };
}

const NAMES: ReadonlySet<string> = new Set([
  "@hourly",
  "@daily",
  "@midnight",
  "@weekly",
  "@monthly",
  "@yearly",
  "@annually",
]);

function parse(text: string): Cron {
  try {
    // Summer time is our own business: croner passes over a skipped hour of `*/10 2 * * *`.
    return new Cron(text, { timezone: "UTC", paused: true, mode: "5-or-6-parts" });
  } catch (error) {
    throw new Error(messageOf(error).replace(/^Cron\w*: /, ""), { cause: error });
  }
}

function everyHour(next: WallTimes["next"], day: number): boolean {
  for (let hour = 0; hour < 24; hour += 1) {
    const start = day + hour * HOUR_MS;
    const found = next(start - 1);
    if (found === null || found >= start + HOUR_MS) return false;
  }
  return true;
}

function shortestGap(next: WallTimes["next"], first: number): number {
  let shortest = Number.POSITIVE_INFINITY;
  let before = first;
  for (let looked = 0; looked < GAPS_LOOKED_AT; looked += 1) {
    const found = next(before);
    if (found === null) break;
    shortest = Math.min(shortest, found - before);
    before = found;
  }
  return shortest;
}
