import type { Item } from "../item.ts";
import { loadPriceList } from "../job/pricing.ts";
import type { JobOverrides } from "../job/resolve.ts";
import type { JobFile, Json } from "../job/schema.ts";
import { estimateTokens } from "../tokens.ts";
import { checkPrices } from "./budget/check.ts";
import { scanInput } from "./scan-input.ts";
import { resolveTarget } from "./start.ts";

/** What a run would ask and roughly cost. All token and money figures are estimates. */
export interface DryRunReport {
  readonly input: string;
  readonly records: number;
  readonly items: number;
  /** The first requests as they would be sent. */
  readonly samples: readonly { readonly custom_id: string; readonly body: Json }[];
  readonly models: readonly ModelEstimate[];
  readonly prompt_tokens: number;
  /** Tokens of answers at most; null where a request sets no `max_tokens`. */
  readonly most_completion_tokens: number | null;
  /** US dollars for the prompts alone; null where a price is unknown. */
  readonly prompt_cost_usd: number | null;
  /** US dollars if every answer used all its `max_tokens`; null where that or a price is unknown. */
  readonly most_cost_usd: number | null;
  readonly price_sources: Readonly<Record<string, string | null>>;
  /** What is no error, but hardly meant. */
  readonly warnings: readonly string[];
}

interface ModelEstimate {
  readonly model: string;
  items: number;
  prompt_tokens: number;
  most_completion_tokens: number | null;
}

const SAMPLES = 3;
/** What a message costs beyond its text. */
const TOKENS_PER_MESSAGE = 4;

/**
 * Reads and renders the whole input and calls nothing.
 *
 * @throws UsageError for anything that a run would refuse before its first call.
 */
export async function dryRun(
  target: string | JobFile,
  overrides: JobOverrides,
  signal: AbortSignal,
): Promise<DryRunReport> {
  const job = await resolveTarget(target, overrides);
  const prices = await loadPriceList(job.pricing);
  const samples: { custom_id: string; body: Json }[] = [];
  const models = new Map<string, ModelEstimate>();
  const scan = await scanInput(job, signal, (item) => {
    const body = JSON.parse(item.body) as { [key: string]: Json };
    if (samples.length < SAMPLES) samples.push({ custom_id: item.customId, body });
    addItem(models, item, body);
  });
  checkPrices(job, scan.models, prices);
  const estimates = [...models.values()];
  const sum = (pick: (estimate: ModelEstimate) => number | null): number | null =>
    estimates.reduce<number | null>((total, estimate) => {
      const part = pick(estimate);
      return total === null || part === null ? null : total + part;
    }, 0);
  const cost = (completion: (estimate: ModelEstimate) => number | null): number | null =>
    sum((estimate) => {
      const answer = completion(estimate);
      if (answer === null) return null;
      const prompt = estimate.prompt_tokens;
      const usage = { prompt, completion: answer, total: prompt + answer, cached: 0, reasoning: 0 };
      return prices.cost(estimate.model, usage, estimate.items);
    });
  return {
    input: job.input,
    records: scan.records,
    items: scan.items,
    samples,
    models: estimates,
    prompt_tokens: sum((estimate) => estimate.prompt_tokens) ?? 0,
    most_completion_tokens: sum((estimate) => estimate.most_completion_tokens),
    prompt_cost_usd: cost(() => 0),
    most_cost_usd: cost((estimate) => estimate.most_completion_tokens),
    price_sources: Object.fromEntries(estimates.map(({ model }) => [model, prices.source(model)])),
    warnings: scan.warnings,
  };
}

function addItem(
  models: Map<string, ModelEstimate>,
  item: Item,
  body: { readonly [key: string]: Json },
): void {
  let estimate = models.get(item.model);
  if (estimate === undefined) {
    estimate = { model: item.model, items: 0, prompt_tokens: 0, most_completion_tokens: 0 };
    models.set(item.model, estimate);
  }
  const most = body["max_completion_tokens"] ?? body["max_tokens"];
  estimate.items += 1;
  estimate.prompt_tokens += promptTokens(body["messages"] ?? null);
  estimate.most_completion_tokens =
    typeof most === "number" && estimate.most_completion_tokens !== null
      ? estimate.most_completion_tokens + most
      : null;
}

function promptTokens(messages: Json): number {
  if (!Array.isArray(messages)) return 0;
  return messages.reduce<number>((sum, message) => {
    const content = (message as { content?: Json } | null)?.content;
    const text = typeof content === "string" ? content : JSON.stringify(content ?? "");
    return sum + estimateTokens(text) + TOKENS_PER_MESSAGE;
  }, 0);
}
