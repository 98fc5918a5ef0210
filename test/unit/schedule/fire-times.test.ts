import { describe, expect, it } from "vitest";

import { fireTimes } from "../../../src/schedule/fire-times.ts";

/** The next ticks after an instant, in UTC, to the second. */
function ticks(cron: string, zone: string, after: string, most: number): string[] {
  const times = fireTimes(cron, zone);
  const found: string[] = [];
  let tick = times.next(Date.parse(after));
  while (tick !== null && found.length < most) {
    found.push(new Date(tick).toISOString().replace(":00.000Z", ""));
    tick = times.next(tick);
  }
  return found;
}

describe("in Europe/Berlin", () => {
  const ZONE = "Europe/Berlin";
  const SPRING = "2026-03-28T12:00:00Z";
  const AUTUMN = "2026-10-24T12:00:00Z";

  it("what lies in the skipped hour fires once, right after the gap", () => {
    expect(ticks("30 2 * * *", ZONE, SPRING, 2)).toEqual(["2026-03-29T01:00", "2026-03-30T00:30"]);
  });

  it("several times in the skipped hour are one, and one at the end of the gap is the same", () => {
    expect(ticks("*/10 2 * * *", ZONE, SPRING, 2)).toEqual([
      "2026-03-29T01:00",
      "2026-03-30T00:00",
    ]);
    expect(ticks("30 2,3 * * *", ZONE, SPRING, 2)).toEqual([
      "2026-03-29T01:00",
      "2026-03-29T01:30",
    ]);
    expect(ticks("0 2,3 * * *", ZONE, SPRING, 2)).toEqual(["2026-03-29T01:00", "2026-03-30T00:00"]);
  });

  it("what lies in the repeated hour fires the first time only", () => {
    expect(ticks("30 2 * * *", ZONE, AUTUMN, 2)).toEqual(["2026-10-25T00:30", "2026-10-26T01:30"]);
    expect(ticks("*/20 2 * * *", ZONE, AUTUMN, 4)).toEqual([
      "2026-10-25T00:00",
      "2026-10-25T00:20",
      "2026-10-25T00:40",
      "2026-10-26T01:00",
    ]);
  });

  it("what fires every hour goes by real time on both days", () => {
    expect(ticks("30 * * * *", ZONE, "2026-03-28T23:45:00Z", 3)).toEqual([
      "2026-03-29T00:30",
      "2026-03-29T01:30",
      "2026-03-29T02:30",
    ]);
    expect(ticks("30 * * * *", ZONE, "2026-10-24T23:45:00Z", 3)).toEqual([
      "2026-10-25T00:30",
      "2026-10-25T01:30",
      "2026-10-25T02:30",
    ]);
  });

  it("asked in the middle of the repeated hour it does not go back", () => {
    expect(ticks("30 2 * * *", ZONE, "2026-10-25T01:10:00Z", 1)).toEqual(["2026-10-26T01:30"]);
    expect(ticks("*/30 * * * *", ZONE, "2026-10-25T00:45:00Z", 2)).toEqual([
      "2026-10-25T01:00",
      "2026-10-25T01:30",
    ]);
  });

  it("a day that it names only once a year is found over the changes", () => {
    expect(ticks("0 4 25 10 *", ZONE, "2026-10-26T00:00:00Z", 1)).toEqual(["2027-10-25T02:00"]);
    expect(ticks("* * 25 10 *", ZONE, "2025-10-27T00:00:00Z", 1)).toEqual(["2026-10-24T22:00"]);
  });
});

describe("in America/New_York", () => {
  const ZONE = "America/New_York";

  it("the skipped hour fires once after the gap", () => {
    expect(ticks("30 2 * * *", ZONE, "2026-03-07T12:00:00Z", 2)).toEqual([
      "2026-03-08T07:00",
      "2026-03-09T06:30",
    ]);
  });

  it("the repeated hour fires once", () => {
    expect(ticks("30 1 * * *", ZONE, "2026-10-31T12:00:00Z", 2)).toEqual([
      "2026-11-01T05:30",
      "2026-11-02T06:30",
    ]);
  });
});

it("in Asia/Shanghai all days are alike", () => {
  expect(ticks("0 2 * * *", "Asia/Shanghai", "2026-03-28T00:00:00Z", 3)).toEqual([
    "2026-03-28T18:00",
    "2026-03-29T18:00",
    "2026-03-30T18:00",
  ]);
});

it("half an hour is repeated in Australia/Lord_Howe, and fires the first time only", () => {
  expect(ticks("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", 2)).toEqual([
    "2026-04-04T14:45",
    "2026-04-05T15:15",
  ]);
});

it("a whole day was skipped in Pacific/Apia, and fired at its end", () => {
  expect(ticks("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", 1)).toEqual([
    "2011-12-30T10:00",
  ]);
});

it("a year has each hour once", () => {
  const times = fireTimes("0 0 * * * *", "Europe/Berlin");
  let tick = times.next(Date.UTC(2026, 0, 1) - 1);
  let hours = 0;
  while (tick !== null && tick < Date.UTC(2027, 0, 1)) {
    expect(tick).toBe(Date.UTC(2026, 0, 1) + hours * 3_600_000);
    hours += 1;
    tick = times.next(tick);
  }
  expect(hours).toBe(365 * 24);
});

it("leap days come every four years, and seconds may come first", () => {
  expect(ticks("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 2)).toEqual([
    "2028-02-29T00:00",
    "2032-02-29T00:00",
  ]);
  expect(fireTimes("*/4 * * * * *", "UTC").next(5_000)).toBe(8_000);
});
