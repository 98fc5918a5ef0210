import { describe, expect, test } from "vitest";

import { toldLimits } from "../../../src/gateway/told-limits.ts";

describe("requests per minute", () => {
  test.each<[string, number | null]>([
    ["您已达到请求数限制：1分钟内最多请求60次", 60],
    ["您已达到请求数限制：3分钟内最多请求100次", 100 / 3],
    ["您已达到总请求数限制：1分钟内最多请求180次，包括失败次数", 180],
    ["您已达到请求数限制：0分钟内最多请求60次", null],
    ["您已达到请求数限制：1分钟内最多请求0次", null],
    [
      "Rate limit reached for gpt-4o-mini in organization org-x on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms.",
      500,
    ],
    ["on requests per min (RPM): Limit 10,000, Used 10,000, Requested 1.", 10_000],
    ["Rate limit reached on requests per min. Limit: 3 / min. Please try again in 20s.", 3],
    ["on requests per min (RPM): Limit 0, Used 0, Requested 1.", null],
    ["on requests per day (RPD): Limit 200, Used 200, Requested 1.", null],
    ["on tokens per min (TPM): Limit 200000, Used 199000, Requested 1500.", null],
    ["Rate limit reached", null],
    ["", null],
  ])("%s", (message, expected) => {
    expect(toldLimits(message).requestsPerMinute).toBe(expected);
  });
});

describe("tokens per minute", () => {
  test.each<[string, number | null]>([
    [
      "Rate limit reached for gpt-4o-mini in organization org-x on tokens per min (TPM): Limit 200000, Used 199000, Requested 1500. Please try again in 150ms. Visit https://***.com/***/*** to learn more.",
      200_000,
    ],
    ["on tokens per min (TPM): Limit 2,000,000, Used 1,999,000, Requested 1,500.", 2_000_000],
    ["on tokens per min. Limit: 10000.000000 / min. Current: 10020.000000 / min.", 10_000],
    ["on tokens per minute: Limit 500.", 500],
    ["on tokens per day (TPD): Limit 2000000, Used 1999999, Requested 1500.", null],
    ["on requests per min (RPM): Limit 500, Used 500, Requested 1.", null],
    ["您已达到请求数限制：1分钟内最多请求60次", null],
    ["", null],
  ])("%s", (message, expected) => {
    expect(toldLimits(message).tokensPerMinute).toBe(expected);
  });
});
