/** A time zone: what its clocks on the wall show, as `Date.UTC` would count it. */
export interface Zone {
  /** Milliseconds that the wall is ahead of UTC at an instant. */
  offsetAt(instant: number): number;
  /** The first instant of another offset in (from, to]; null where the offset is the same at both. */
  changeBetween(from: number, to: number): number | null;
}

const SECOND_MS = 1_000;

/** @param name as the IANA database has it; null for this machine's own. */
export function zoneOf(name: string | null): Zone {
  const format = new Intl.DateTimeFormat("en-US", {
    ...(name !== null && { timeZone: name }),
    calendar: "iso8601",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const offsetAt = (instant: number): number => {
    const second = Math.floor(instant / SECOND_MS) * SECOND_MS;
    const shown = new Map(format.formatToParts(second).map(({ type, value }) => [type, +value]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => shown.get(type) ?? 0;
    const wall = Date.UTC(
      part("year"),
      part("month") - 1,
      part("day"),
      part("hour"),
      part("minute"),
      part("second"),
    );
    return wall - second;
  };
  return {
    offsetAt,
    changeBetween: (from, to) => {
      const before = offsetAt(from);
      if (offsetAt(to) === before) return null;
      // Clocks change at whole seconds.
      let low = Math.floor(from / SECOND_MS);
      let high = Math.ceil(to / SECOND_MS);
      while (high - low > 1) {
        const middle = Math.floor((low + high) / 2);
        if (offsetAt(middle * SECOND_MS) === before) low = middle;
        else high = middle;
      }
      return high * SECOND_MS;
    },
  };
}
