import { describe, expect, test } from "vitest";

import { loadPriceList } from "../../../src/job/pricing.ts";
import { readUsage, type TokenUsage } from "../../../src/tokens.ts";

const USAGE: TokenUsage = {
  prompt: 1_000_000,
  completion: 500_000,
  total: 1_500_000,
  cached: 400_000,
  reasoning: 0,
};

describe("the job's own prices", () => {
  test("are dollars per million tokens and beat the list's", async () => {
    const prices = await loadPriceList({ input: 2, output: 8 });
    expect(prices.cost("gpt-4o-mini", USAGE)).toBe(6);
    expect(prices.source("gpt-4o-mini")).toBe("job");
  });

  test("have a price of their own for cached tokens", async () => {
    const prices = await loadPriceList({ input: 2, output: 8, cached_input: 0.5 });
    expect(prices.cost("any-model", USAGE)).toBeCloseTo(0.6 * 2 + 0.4 * 0.5 + 0.5 * 8);
  });

  test("per model leave the other models to the list", async () => {
    const prices = await loadPriceList({ "our-model": { input: 1, output: 1 } });
    expect(prices.cost("our-model", USAGE)).toBe(1.5);
    expect(
      ["our-model", "gpt-4o-mini", "constructor"].map((model) => prices.source(model)),
    ).toEqual(["job", "genai-prices", null]);
  });

  test("may be for a model that is called input", async () => {
    const prices = await loadPriceList({ input: { input: 1, output: 0 } });
    expect([prices.source("input"), prices.source("our-model")]).toEqual(["job", null]);
  });

  test("may be for a call, whatever its tokens", async () => {
    const prices = await loadPriceList({ input: 0, output: 2, request: 0.01 });
    expect([prices.cost("any-model", USAGE), prices.cost("any-model", USAGE, 100)]).toEqual([
      1.01, 2,
    ]);
  });

  test("may be nothing at all, which is known and no gap", async () => {
    const prices = await loadPriceList({ input: 0, output: 0 });
    expect(prices.cost("our-model", USAGE)).toBe(0);
  });
});

describe("list prices", () => {
  test("are used where the job has none", async () => {
    const prices = await loadPriceList(null);
    const cost = prices.cost("gpt-4o-mini", USAGE) ?? 0;
    expect(cost).toBeGreaterThan(0.3);
    expect(cost).toBeLessThan(0.6);
    expect(prices.source("gpt-4o-mini")).toBe("genai-prices");
  });

  test("are unknown for a model that nobody lists, which is null and never 0", async () => {
    const prices = await loadPriceList(null);
    expect([prices.cost("mystery-model", USAGE), prices.source("mystery-model")]).toEqual([
      null,
      null,
    ]);
  });

  test("take an answer that counts cached tokens beside its prompt", async () => {
    const usage = readUsage({
      prompt_tokens: 5,
      completion_tokens: 1,
      prompt_tokens_details: { cached_tokens: 900 },
    });
    if (usage === null) throw new Error("there is a usage");
    expect((await loadPriceList(null)).cost("gpt-4o-mini", usage)).toBeGreaterThan(0);
  });
});

describe("the gateway's own prices", () => {
  test("hold where neither the job nor the list has one", async () => {
    const prices = await loadPriceList({ "our-model": { input: 1, output: 1 } });
    const price = { input: 3, output: 0 };
    prices.learn({ "our-model": price, "gpt-4o-mini": price, "house-model": price });
    const models = ["our-model", "gpt-4o-mini", "house-model", "mystery-model", "constructor"];
    expect(models.map((model) => prices.source(model))).toEqual([
      "job",
      "genai-prices",
      "gateway",
      null,
      null,
    ]);
    expect(prices.cost("house-model", USAGE)).toBe(3);
  });

  test("are added to those learned before", async () => {
    const prices = await loadPriceList(null);
    prices.learn({ "house-model": { input: 1, output: 1 } });
    prices.learn({ "garden-model": { input: 2, output: 2 } });
    expect(Object.keys(prices.learned)).toEqual(["house-model", "garden-model"]);
  });

  test.each(["house-model-2025-09-23", "house-model-20250923", "house-model-0613"])(
    "hold for the snapshot %s that answers for its model",
    async (model) => {
      const prices = await loadPriceList(null);
      prices.learn({ "house-model": { input: 1, output: 1 } });
      expect(prices.source(model)).toBe("gateway");
    },
  );

  test("do not hold for a model whose name merely begins the same", async () => {
    const prices = await loadPriceList(null);
    prices.learn({ "house-model": { input: 1, output: 1 } });
    expect(prices.source("house-model-large")).toBeNull();
  });
});
