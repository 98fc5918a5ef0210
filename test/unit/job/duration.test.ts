import * as fc from "fast-check";
import { expect, test } from "vitest";

import { parseDuration } from "../../../src/job/duration.ts";

test.each([
  ["250ms", 250],
  ["60s", 60_000],
  ["10m", 600_000],
  ["24h", 86_400_000],
  ["7d", 604_800_000],
  ["1h30m", 5_400_000],
  ["1m500ms", 60_500],
  ["1.5s", 1_500],
  [" 5s ", 5_000],
  ["90", 90_000],
  [90, 90_000],
  [0.5, 500],
])("%j is %i ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  "",
  "0",
  "0s",
  0,
  -1,
  NaN,
  Infinity,
  "-5s",
  "5 s",
  "5S",
  "s",
  "5x",
  "5s later",
  "1e3",
  ".5s",
  "1.s",
  `${"9".repeat(400)}d`,
  "9".repeat(400),
])("%j is no duration", (text) => {
  expect(parseDuration(text)).toBeNull();
});

test("is a finite, positive number of milliseconds or nothing, for any text", () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^([0-9.]{1,4}(ms|s|m|h|d)){1,4}$/));
  fc.assert(
    fc.property(text, (written) => {
      const ms = parseDuration(written);
      expect(ms === null || (Number.isFinite(ms) && ms > 0)).toBe(true);
    }),
  );
});
