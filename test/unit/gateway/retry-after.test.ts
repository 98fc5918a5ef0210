import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { retryAfterMs } from "../../../src/gateway/retry-after.ts";

const NOW = Date.UTC(2026, 10, 23, 10, 0, 0);
const DAY_MS = 86_400_000;

describe("headers", () => {
  test.each<[Record<string, string>, number | null]>([
    [{ "retry-after": "20" }, 20_000],
    [{ "retry-after": "0.25" }, 250],
    [{ "retry-after": " 7 " }, 7000],
    [{ "retry-after-ms": "150" }, 150],
    [{ "retry-after-ms": "150", "retry-after": "1" }, 150],
    [{ "retry-after-ms": "soon", "retry-after": "1" }, 1000],
    [{ "retry-after": "Mon, 23 Nov 2026 10:00:30 GMT" }, 30_000],
    [{ "retry-after": "Monday, 23-Nov-26 10:00:30 GMT" }, 30_000],
    [{ "retry-after": "Mon Nov 23 10:00:30 2026" }, 30_000],
    [{ "retry-after": "Mon, 23 Nov 2026 09:59:30 GMT" }, null],
    [{ "retry-after": "0" }, null],
    [{ "retry-after": "-5" }, null],
    [{ "retry-after": "NaN" }, null],
    [{ "retry-after": "1e9" }, null],
    [{ "retry-after": "999999" }, null],
    [{ "retry-after": "" }, null],
    [{}, null],
  ])("%o is %s ms", (headers, expected) => {
    expect(retryAfterMs(headers, "", NOW)).toBe(expected);
  });

  test("a date counts from the answer's own Date, however wrong our clock is", () => {
    const headers = {
      date: "Mon, 23 Nov 2026 10:00:00 GMT",
      "retry-after": "Mon, 23 Nov 2026 10:01:00 GMT",
    };
    expect(retryAfterMs(headers, "", NOW + 10 * DAY_MS)).toBe(60_000);
  });

  test("the headers win over the message", () => {
    expect(retryAfterMs({ "retry-after": "3" }, "try again in 20s", NOW)).toBe(3000);
  });
});

describe("messages", () => {
  test.each<[string, number | null]>([
    ["Please try again in 20s.", 20_000],
    ["Please try again in 1.5s. Visit https://***.com", 1500],
    ["Please try again in 150ms.", 150],
    ["Please try again in 6m0s.", 360_000],
    ["Please try again in 1h2m3s.", 3_723_000],
    ["Please try again in 1m30.951s", 90_951],
    ["Please retry in 38.9s.", 38_900],
    ["please retry after 30 seconds", 30_000],
    ["Try again in 2 minutes and be patient", 120_000],
    ["Try again in 1 hour", 3_600_000],
    ["请在 20 秒后重试", 20_000],
    ["请求过于频繁，请1分钟后再试", 60_000],
    ["请在 500 毫秒之后重试", 500],
    ["Please try again in 3 months", null],
    ["Please try again in 9 days", null],
    ["Please try again later", null],
    ["Limit 200000, Used 199000, Requested 1500", null],
    ["您已达到请求数限制：1分钟内最多请求60次", null],
  ])("%j is %s ms", (message, expected) => {
    expect(retryAfterMs({}, message, NOW)).toBe(expected);
  });

  test("a Go duration of any length up to a day is read back", () => {
    const part = (most: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: most });
    fc.assert(
      fc.property(part(22), part(59), part(59), part(999), (hours, minutes, seconds, ms) => {
        const total = ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
        fc.pre(total > 0);
        const message = `Please try again in ${hours}h${minutes}m${seconds}s${ms}ms.`;
        expect(retryAfterMs({}, message, NOW)).toBe(total);
      }),
    );
  });

  test("whatever a stranger writes, the wait is null or between nothing and a day", () => {
    const header = fc.oneof(fc.string(), fc.double().map(String), fc.date().map(String));
    fc.assert(
      fc.property(header, header, header, fc.string(), (after, afterMs, date, message) => {
        const headers = { "retry-after": after, "retry-after-ms": afterMs, date };
        const ms = retryAfterMs(headers, `try again in ${message}`, NOW);
        expect(ms === null || (ms > 0 && ms <= DAY_MS)).toBe(true);
      }),
    );
  });
});
