import type { Item } from "../item.ts";
import type { PriceList } from "../job/pricing.ts";
import type { Json } from "../job/schema.ts";
import { estimateTokens } from "../tokens.ts";

/** What the items of one model would use. */
export interface ModelEstimate {
  readonly model: string;
  items: number;
  prompt_tokens: number;
  /** Null where a request sets no bound for its answer. */
  most_completion_tokens: number | null;
}

/** What calls would use and cost; null where nobody can say. */
interface EstimatedTotals {
  readonly prompt_tokens: number;
  readonly most_completion_tokens: number | null;
  readonly prompt_cost_usd: number | null;
  readonly most_cost_usd: number | null;
}

/** What a message costs beyond its text. */
const TOKENS_PER_MESSAGE = 4;

/** Adds up what calls would use. */
export class Estimate {
  readonly #prices: PriceList;
  readonly #models = new Map<string, ModelEstimate>();

  constructor(prices: PriceList) {
    this.#prices = prices;
  }

  get models(): readonly ModelEstimate[] {
    return [...this.#models.values()];
  }

  add({ model }: Item, body: { readonly [key: string]: Json }): void {
    let estimate = this.#models.get(model);
    if (estimate === undefined) {
      estimate = { model, items: 0, prompt_tokens: 0, most_completion_tokens: 0 };
      this.#models.set(model, estimate);
    }
    const most = body["max_completion_tokens"] ?? body["max_tokens"];
    estimate.items += 1;
    estimate.prompt_tokens += promptTokens(body["messages"] ?? null);
    estimate.most_completion_tokens =
      typeof most === "number" && estimate.most_completion_tokens !== null
        ? estimate.most_completion_tokens + most
        : null;
  }

  totals(): EstimatedTotals {
    return {
      prompt_tokens: this.#sum((estimate) => estimate.prompt_tokens) ?? 0,
      most_completion_tokens: this.#sum((estimate) => estimate.most_completion_tokens),
      prompt_cost_usd: this.#cost(() => 0),
      most_cost_usd: this.#cost((estimate) => estimate.most_completion_tokens),
    };
  }

  #cost(completion: (estimate: ModelEstimate) => number | null): number | null {
    return this.#sum((estimate) => {
      const answer = completion(estimate);
      if (answer === null) return null;
      const prompt = estimate.prompt_tokens;
      const usage = { prompt, completion: answer, total: prompt + answer, cached: 0, reasoning: 0 };
      return this.#prices.cost(estimate.model, usage, estimate.items);
    });
  }

  #sum(pick: (estimate: ModelEstimate) => number | null): number | null {
    return this.models.reduce<number | null>((total, estimate) => {
      const part = pick(estimate);
      return total === null || part === null ? null : total + part;
    }, 0);
  }
}

function promptTokens(messages: Json): number {
  if (!Array.isArray(messages)) return 0;
  return messages.reduce<number>((sum, message) => {
    const content = (message as { content?: Json } | null)?.content;
    const text = typeof content === "string" ? content : JSON.stringify(content ?? "");
    return sum + estimateTokens(text) + TOKENS_PER_MESSAGE;
  }, 0);
}
