import { describe, expect, it } from "vitest";

import { Limiter } from "../../../src/sandbox/limits.ts";
import type { Limits, Throttled } from "../../../src/sandbox/limits.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";

function limited(limits: Limits) {
  const clock = new FakeClock();
  const limiter = new Limiter(limits, clock);
  /** How many of `tries` calls at this moment are let in. */
  const letIn = (tries: number): number => {
    let passed = 0;
    for (let call = 0; call < tries; call += 1) {
      if (limiter.enter() !== null) continue;
      passed += 1;
      limiter.leave();
    }
    return passed;
  };
  return { clock, limiter, letIn };
}

function refusal(result: unknown): Throttled {
  return result as Throttled;
}

describe("requests per minute", () => {
  it("lets in as many as it says", () => {
    expect(limited({ rpm: 60 }).letIn(100)).toBe(60);
  });

  it("hold within any minute, not within each", async () => {
    const { clock, letIn } = limited({ rpm: 60 });
    await clock.advance(30_000);
    letIn(40);
    await clock.advance(40_000);
    expect(letIn(100)).toBe(20);
  });

  it("forget a request after a minute", async () => {
    const { clock, letIn } = limited({ rpm: 60 });
    letIn(60);
    await clock.advance(60_000);
    expect(letIn(100)).toBe(60);
  });

  it("do not count what was refused", async () => {
    const { clock, letIn } = limited({ rpm: 2 });
    letIn(2);
    await clock.advance(59_000);
    letIn(50);
    await clock.advance(1000);
    expect(letIn(5)).toBe(2);
  });

  it("can hold within each second instead", async () => {
    const { clock, letIn } = limited({ rpm: 600, windowMs: 1000 });
    const first = letIn(50);
    await clock.advance(1000);
    expect([first, letIn(50)]).toEqual([10, 10]);
  });

  it("with a burst refill steadily", async () => {
    const { clock, letIn } = limited({ rpm: 60, burst: 5 });
    const first = letIn(50);
    await clock.advance(2000);
    expect([first, letIn(50)]).toEqual([5, 2]);
  });

  it("tell how long to wait", async () => {
    const { clock, limiter, letIn } = limited({ rpm: 1 });
    letIn(1);
    await clock.advance(20_000);
    expect(limiter.enter()).toEqual({
      limit: "requests",
      allowed: 1,
      used: 1,
      waitMs: 40_000,
    });
  });
});

describe("concurrency", () => {
  it("is given back on leaving", () => {
    const { limiter } = limited({ maxConcurrency: 1 });
    limiter.enter();
    const second = limiter.enter();
    limiter.leave();
    expect([refusal(second).limit, limiter.enter()]).toEqual(["concurrency", null]);
  });
});

describe("tokens per minute", () => {
  it("are reserved in full and given back where not used", () => {
    const { limiter } = limited({ tpm: 100 });
    const reservation = limiter.reserve(80);
    const tooEarly = limiter.reserve(80);
    if (reservation !== null && "amount" in reservation) limiter.settle(reservation, 20);
    expect([refusal(tooEarly).limit, limiter.reserve(80)]).toMatchObject([
      "tokens",
      { amount: 80 },
    ]);
  });

  it("give nothing back twice once a reservation has expired", async () => {
    const { clock, limiter } = limited({ tpm: 100 });
    const reservation = limiter.reserve(100);
    await clock.advance(60_000);
    limiter.reserve(100);
    if (reservation !== null && "amount" in reservation) limiter.settle(reservation, 0);
    expect(limiter.reserve(1)).toMatchObject({ limit: "tokens" });
  });

  it("tell how many of them are taken", () => {
    const { limiter } = limited({ tpm: 6000, windowMs: 1000 });
    limiter.reserve(90);
    expect(limiter.reserve(30)).toMatchObject({ allowed: 6000, used: 5990 });
  });

  it("promise nothing to a request that can never pass", () => {
    expect(limited({ tpm: 100 }).limiter.reserve(101)).toMatchObject({ waitMs: null });
  });
});

describe("limits that change", () => {
  it("hold at once", () => {
    const { limiter, letIn } = limited({ rpm: 60 });
    letIn(60);
    limiter.change({ rpm: 30 });
    expect(letIn(100)).toBe(30);
  });

  it("know who is still in", () => {
    const { limiter } = limited({});
    limiter.enter();
    limiter.change({ maxConcurrency: 1 });
    expect(limiter.enter()).toMatchObject({ limit: "concurrency", used: 1 });
  });

  it("get no tokens back from before", () => {
    const { limiter } = limited({ tpm: 100 });
    const before = limiter.reserve(100);
    limiter.change({ tpm: 100 });
    limiter.reserve(100);
    if (before !== null && "amount" in before) limiter.settle(before, 0);
    expect(limiter.reserve(1)).toMatchObject({ limit: "tokens" });
  });

  it("of 0 requests let nobody in", () => {
    const { limiter, letIn } = limited({});
    limiter.change({ rpm: 0 });
    expect(letIn(10)).toBe(0);
  });
});

describe("what a throttled client is told", () => {
  it.each([
    ["none", []],
    ["seconds", ["Retry-After", "2"]],
    ["ms", ["retry-after-ms", "1500"]],
    ["http-date", ["Retry-After", "Thu, 01 Jan 2026 00:00:02 GMT"]],
  ] as const)("by %s", (retryAfter, headers) => {
    expect(limited({ retryAfter }).limiter.retryHeaders(1500)).toEqual(headers);
  });

  it("can be OpenAI's rate headers", () => {
    const { limiter } = limited({ rpm: 60, rateHeaders: "openai" });
    limiter.enter();
    expect(limiter.rateHeaders()).toEqual([
      "x-ratelimit-limit-requests",
      "60",
      "x-ratelimit-remaining-requests",
      "59",
      "x-ratelimit-reset-requests",
      "1s",
    ]);
  });
});
