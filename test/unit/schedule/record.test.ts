import { expect, it } from "vitest";

import { compacted, parseEntry, recordOf, type TickEntry } from "../../../src/schedule/record.ts";

const NIGHT_MS = 86_400_000;
const night = (number: number): string => new Date(number * NIGHT_MS).toISOString();

const SEEN: TickEntry = { kind: "seen", at: night(0), since: night(0), cron: "@daily", tz: null };

function run(number: number, ...ends: ("finished" | "paused" | "interrupted")[]): TickEntry[] {
  const of = { at: night(number), tick: night(number) };
  return [
    { kind: "claimed", ...of, by: "s" },
    { kind: "started", ...of, by: "s", directory: `runs/${number}` },
    ...ends.map((result): TickEntry => ({ kind: "ended", ...of, result })),
  ];
}

it("a line that is torn, or of another kind, is passed over", () => {
  expect(parseEntry('{"kind":"claimed","at":"2026-')).toBeNull();
  expect(parseEntry("")).toBeNull();
  expect(parseEntry('{"kind":"dreamt","at":"2026-01-01T00:00:00.000Z"}')).toBeNull();
  expect(parseEntry(JSON.stringify(SEEN))).toEqual(SEEN);
});

it("tells which runs go on, and which stopped half-way", () => {
  const { open, stopped, since } = recordOf([
    SEEN,
    ...run(1, "finished"),
    ...run(2, "paused"),
    ...run(3, "interrupted"),
    ...run(4),
  ]);
  expect(open).toEqual([{ tick: 4 * NIGHT_MS, by: "s", directory: "runs/4" }]);
  expect(stopped).toEqual([
    { tick: 2 * NIGHT_MS, directory: "runs/2", as: "paused", starts: 1 },
    { tick: 3 * NIGHT_MS, directory: "runs/3", as: "interrupted", starts: 1 },
  ]);
  expect(since).toBe(4 * NIGHT_MS);
});

it("a run that was gone on with to its end is not stopped any more", () => {
  const again = run(1, "finished").slice(1);
  expect(recordOf([SEEN, ...run(1, "interrupted"), ...again]).stopped).toEqual([]);
  const [stopped] = recordOf([
    SEEN,
    ...run(1, "interrupted"),
    ...run(1, "paused").slice(1),
  ]).stopped;
  expect(stopped).toMatchObject({ as: "paused", starts: 2 });
});

it("keeps what still matters when it is shortened", () => {
  const lines = [SEEN, ...run(1, "paused"), ...run(2)];
  for (let number = 3; number < 100; number += 1) lines.push(...run(number, "finished"));
  const short = compacted(lines, 9);
  expect(short.length).toBe(1 + 3 + 2 + 9);
  const { seen, open, stopped, since } = recordOf(short);
  expect([seen?.cron, open.length, stopped.length, since]).toEqual(["@daily", 1, 1, 99 * NIGHT_MS]);
});
