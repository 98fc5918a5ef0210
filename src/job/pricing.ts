import type { CostOf, TokenUsage } from "../tokens.ts";
import type { Price, Pricing } from "./schema.ts";

/** What models cost, and how we know. */
export interface PriceList {
  /** US dollars; null where the model's price is unknown. */
  readonly cost: CostOf;
  /** Where a model's price comes from; null where it is unknown. */
  source(model: string): PriceSource | null;
  /** Takes prices that the gateway tells: they hold where nobody else knows one. */
  learn(prices: GatewayPrices): void;
  /** What it was told, by model. */
  readonly learned: GatewayPrices;
}

/** Who knows a price: the job, the list prices, or the gateway's own price list. */
export type PriceSource = "job" | "genai-prices" | "gateway";

/** Prices by model. */
export type GatewayPrices = Readonly<Record<string, Price>>;

const MILLION = 1_000_000;

/** A snapshot's date at the end of a model's name: `-2025-09-23`, `-20250923`, `-0613`. */
const SNAPSHOT = /[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4})$/;

/**
 * The job's own prices first, since a gateway's differ from list prices; then the list prices of
 * genai-prices; then what the gateway tells; else unknown.
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
  let learned: GatewayPrices = {};
  const gatewayPrice = (model: string): Price | null =>
    priceIn(learned, model) ?? priceIn(learned, model.replace(SNAPSHOT, ""));
  return {
    cost: (model, usage, calls = 1) => {
      const price = ownPrice(pricing, model) ?? listPrice(model) ?? gatewayPrice(model);
      if (price === null) return null;
      if (price !== "tiered") return costAt(price, usage, calls);
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
      if (listPrice(model) !== null) return "genai-prices";
      return gatewayPrice(model) === null ? null : "gateway";
    },
    learn: (prices) => {
      learned = { ...learned, ...prices };
    },
    get learned() {
      return learned;
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
  return isOnePrice(pricing) ? pricing : priceIn(pricing, model);
}

function priceIn(prices: GatewayPrices, model: string): Price | null {
  return Object.hasOwn(prices, model) ? (prices[model] ?? null) : null;
}

function isOnePrice(pricing: Pricing): pricing is Price {
  return typeof pricing["input"] === "number";
}

function costAt(price: Price, usage: TokenUsage, calls: number): number {
  const fresh = usage.prompt - usage.cached;
  const cachedPrice = price.cached_input ?? price.input;
  const tokens =
    (fresh * price.input + usage.cached * cachedPrice + usage.completion * price.output) / MILLION;
  return tokens + (price.request ?? 0) * calls;
}
