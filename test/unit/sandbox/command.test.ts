import { describe, expect, it } from "vitest";

import { toSandboxOptions } from "../../../src/commands/sandbox.ts";

describe("the flags of the sandbox command", () => {
  it("mean nothing goes wrong on port 8787 where none is given", () => {
    expect(toSandboxOptions({})).toEqual({ port: 8787, latency: {}, limits: {} });
  });

  it("become options", () => {
    expect(
      toSandboxOptions({
        port: 9000,
        seed: 7,
        chaos: "429=0.1",
        ttft: { min: 200, max: 400 },
        tps: 80,
        jitter: 0.3,
        rpm: 60,
        tpm: 1000,
        maxConcurrency: 8,
        limitWindow: 1000,
        burst: 5,
        retryAfter: "seconds",
        rateHeaders: "openai",
        limitBody: "empty",
        balance: 2,
        models: ["m"],
        profile: "sub2api",
        answer: "label:a,b",
        ledger: false,
      }),
    ).toEqual({
      port: 9000,
      seed: 7,
      chaos: { "429": 0.1 },
      latency: { ttftMs: { min: 200, max: 400 }, tokensPerSecond: 80, jitter: 0.3 },
      limits: {
        rpm: 60,
        tpm: 1000,
        maxConcurrency: 8,
        windowMs: 1000,
        burst: 5,
        retryAfter: "seconds",
        rateHeaders: "openai",
        bodyVariant: "empty",
      },
      balanceUsd: 2,
      models: ["m"],
      profile: "sub2api",
      answer: { kind: "label", labels: ["a", "b"] },
      ledger: false,
    });
  });
});
