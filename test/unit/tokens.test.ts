import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { estimateTokens, readUsage } from "../../src/tokens.ts";

describe("an estimate from characters", () => {
  test.each([
    ["", 0],
    ["word", 1],
    ["Classify the sentiment:", 6],
    ["你好，世界", 4],
    ["ok 好", 2],
  ])("of %j is %i", (text, tokens) => {
    expect(estimateTokens(text)).toBe(tokens);
  });

  test("never shrinks when text is added", () => {
    const text = fc.string({ unit: "grapheme" });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(estimateTokens(a + b)).toBeGreaterThanOrEqual(estimateTokens(a));
      }),
    );
  });
});

describe("the usage of an answer", () => {
  test("is read with its details", () => {
    expect(
      readUsage({
        prompt_tokens: 100,
        completion_tokens: 20,
        total_tokens: 120,
        prompt_tokens_details: { cached_tokens: 64 },
        completion_tokens_details: { reasoning_tokens: 8 },
      }),
    ).toEqual({ prompt: 100, completion: 20, total: 120, cached: 64, reasoning: 8 });
  });

  test("adds up its own total where the gateway gives none", () => {
    expect(readUsage({ prompt_tokens: 7, completion_tokens: 3 })).toMatchObject({ total: 10 });
  });

  test("has no more cached tokens than the prompt has tokens", () => {
    const details = { prompt_tokens_details: { cached_tokens: 900 } };
    expect(readUsage({ prompt_tokens: 7, completion_tokens: 3, ...details })?.cached).toBe(7);
  });

  test.each([
    ["nothing", undefined],
    ["null", null],
    ["a text", "17 tokens"],
    ["an empty object", {}],
    ["zeros", { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }],
    ["numbers as texts", { prompt_tokens: "7" }],
    ["no numbers", { prompt_tokens: NaN, total_tokens: -1 }],
    ["more than can be", { prompt_tokens: 1e308, completion_tokens: 1e308 }],
  ])("is unknown for %s", (_name, usage) => {
    expect(readUsage(usage)).toBeNull();
  });

  test("is never negative or broken, whatever comes", () => {
    fc.assert(
      fc.property(
        fc.record(
          {
            prompt_tokens: fc.anything(),
            completion_tokens: fc.anything(),
            total_tokens: fc.anything(),
            prompt_tokens_details: fc.oneof(
              fc.anything(),
              fc.record({ cached_tokens: fc.oneof(fc.anything(), fc.integer()) }),
            ),
          },
          { requiredKeys: [] },
        ),
        (usage) => {
          for (const count of Object.values(readUsage(usage) ?? {})) {
            expect(Number.isFinite(count) && count >= 0).toBe(true);
          }
        },
      ),
    );
  });
});
