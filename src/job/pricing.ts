import type { TokenUsage } from "../tokens.ts";
import type { Price, Pricing } from "./schema.ts";

/** What models cost, and how we know. */
export interface PriceList {
  /** US dollars; null where the model's price is unknown. */
  cost(model: string, usage: TokenUsage): number | null;
  /** Where a model's price comes from; null where it is unknown. */
  source(model: string): "job" | "genai-prices" | null;
}

const MILLION = 1_000_000;

/**
 * The job's own prices first, since a gateway's differ from list prices; then the list prices of
 * genai-prices; else unknown.
 */
export async function loadPriceList(pricing: Pricing | null): Promise<PriceList> {
  // Its data takes 50 ms to load, so only a run that asks for it pays for it.
  const { calcPrice } = await import("@pydantic/genai-prices");
  const listed = new Map<string, boolean>();
  const isListed = (model: string): boolean => {
    let known = listed.get(model);
    if (known === undefined) {
      known = calcPrice({ input_tokens: 1, output_tokens: 1 }, model) !== null;
      listed.set(model, known);
    }
    return known;
  };
  return {
    cost: (model, usage) => {
      const own = ownPrice(pricing, model);
      if (own !== null) return ownCost(own, usage);
      if (!isListed(model)) return null;
      const result = calcPrice(
        {
          input_tokens: usage.prompt,
          output_tokens: usage.completion,
          cache_read_tokens: usage.cached,
        },
        model,
      );
      return result?.total_price ?? null;
    },
    source: (model) => {
      if (ownPrice(pricing, model) !== null) return "job";
      return isListed(model) ? "genai-prices" : null;
    },
  };
}

function ownPrice(pricing: Pricing | null, model: string): Price | null {
  if (pricing === null) return null;
  if (isOnePrice(pricing)) return pricing;
  return Object.hasOwn(pricing, model) ? (pricing[model] ?? null) : null;
}

function isOnePrice(pricing: Pricing): pricing is Price {
  return typeof pricing["input"] === "number";
}

function ownCost(price: Price, usage: TokenUsage): number {
  const fresh = usage.prompt - usage.cached;
  const cachedPrice = price.cached_input ?? price.input;
  return (
    (fresh * price.input + usage.cached * cachedPrice + usage.completion * price.output) / MILLION
  );
}
