import { parseCron, type WallTimes } from "../cron.ts";
import { type Zone, zoneOf } from "./zone.ts";

/** The instants at which a schedule fires: its ticks. */
export interface FireTimes {
  /** The first tick after an instant; null where there is none any more. */
  next(after: number): number | null;
}

/** No clock is set by more than this at once, and none twice within it. */
const MOST_CHANGE_MS = 26 * 3_600_000;

/**
 * The ticks of a cron expression in a zone, over the days on which clocks change too.
 *
 * A schedule of certain hours fires once for each time on the wall: what lies in a skipped hour
 * fires once, right after the gap; what comes twice fires the first time. A schedule of every hour
 * goes by real time: it leaves out the hour that there is not, and fires in both of the repeated.
 *
 * @param zone as the IANA database names it; null for this machine's own.
 */
export function fireTimes(cron: string, zone: string | null): FireTimes {
  const times = parseCron(cron);
  const clocks = zoneOf(zone);
  const next = times.isEveryHour ? nextByTheHour : nextOnTheWall;
  return { next: (after) => next(times, clocks, after) };
}

function nextOnTheWall(times: WallTimes, zone: Zone, after: number): number | null {
  let wall = times.next(after + zone.offsetAt(after));
  while (wall !== null) {
    const instant = firstInstantOf(wall, zone);
    // Not so for what the repeated hour brings again, and for the rest of a skipped one.
    if (instant > after) return instant;
    wall = times.next(wall);
  }
  return null;
}

/** When the clocks first show a time; where they skip it, the end of the gap. */
function firstInstantOf(wall: number, zone: Zone): number {
  const [before, later] = [-1, 1].map((side) => zone.offsetAt(wall + side * MOST_CHANGE_MS));
  for (const offset of [before ?? 0, later ?? 0].sort((a, b) => b - a)) {
    if (zone.offsetAt(wall - offset) === offset) return wall - offset;
  }
  return zone.changeBetween(wall - MOST_CHANGE_MS, wall + MOST_CHANGE_MS) ?? wall - (before ?? 0);
}

function nextByTheHour(times: WallTimes, zone: Zone, after: number): number | null {
  let from = after;
  let offset = zone.offsetAt(after);
  for (;;) {
    const wall = times.next(from + offset);
    if (wall === null) return null;
    const instant = wall - offset;
    const offsetThen = zone.offsetAt(instant);
    if (offsetThen === offset) return instant;
    const change = zone.changeBetween(Math.max(after, instant - MOST_CHANGE_MS), instant);
    // The clocks change before it: look again, from the change on, by the clock as it is then.
    from = (change ?? instant - MOST_CHANGE_MS) - 1;
    offset = offsetThen;
  }
}
