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
  const listed = new Map<string, Price | "tiered" | null>();
  const listPrice = (model: string): Price | "tiered" | null => {
    let price = listed.get(model);
    if (price === undefined) {
      price = flatPrice(calcPrice({ input_tokens: 1, output_tokens: 1 }, model)?.model_price);
      listed.set(model, price);
    }
    return price;
  };
  return {
    cost: (model, usage) => {
      const price = ownPrice(pricing, model) ?? listPrice(model);
      if (price === null) return null;
      if (price !== "tiered") return costAt(price, usage);
      const { prompt, completion, cached } = usage;
      const tokens = {
        input_tokens: prompt,
        output_tokens: completion,
        cache_read_tokens: cached,
      };
      return calcPrice(tokens, model)?.total_price ?? null;
    },
    source: (model) => {
      if (ownPrice(pricing, model) !== null) return "job";
      return listPrice(model) === null ? null : "genai-prices";
    },
  };
}

/** Most list prices are three numbers, and multiplying is a hundred times quicker than a look-up. */
function flatPrice(prices: Readonly<Record<string, unknown>> | undefined): Price | "tiered" | null {
  if (prices === undefined) return null;
  const { input_mtok: input, output_mtok: output, cache_read_mtok: cached } = prices;
  if (typeof input !== "number" || typeof output !== "number") return "tiered";
  if (cached === undefined) return { input, output };
  return typeof cached === "number" ? { input, output, cached_input: cached } : "tiered";
}

function ownPrice(pricing: Pricing | null, model: string): Price | null {
  if (pricing === null) return null;
  if (isOnePrice(pricing)) return pricing;
  return Object.hasOwn(pricing, model) ? (pricing[model] ?? null) : null;
}

function isOnePrice(pricing: Pricing): pricing is Price {
  return typeof pricing["input"] === "number";
}

function costAt(price: Price, usage: TokenUsage): number {
  const fresh = usage.prompt - usage.cached;
  const cachedPrice = price.cached_input ?? price.input;
  return (
    (fresh * price.input + usage.cached * cachedPrice + usage.completion * price.output) / MILLION
  );
}
