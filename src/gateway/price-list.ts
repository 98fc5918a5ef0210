import { createGatewayClient, type GatewayClientOptions } from "./client.ts";
import { isRecord, type JsonRecord, parseJson, textOf } from "./json.ts";

/** What a model costs at this gateway, in US dollars; tokens per million. */
export interface ListedPrice {
  readonly input: number;
  readonly output: number;
  readonly cached_input?: number;
  /** Per call. */
  readonly request?: number;
}

const PATH = "/api/pricing";
/** Nobody waits for long for what only adds a figure to the summary. */
const TIMEOUT_MS = 3_000;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** A `model_ratio` of 1 is two dollars per million tokens. */
const USD_PER_RATIO = 2;
/** Which group an account is in is not told; this is where accounts begin. */
const GROUP = "default";
const BY_TOKENS = 0;
const BY_CALL = 1;

/**
 * Asks the gateway's public price list, as new-api serves it at the root of its host. It is sent
 * no key. A gateway without one, or with one that cannot be read, lists nothing.
 */
export async function askPrices(
  gateway: Pick<GatewayClientOptions, "baseUrl" | "version" | "clock" | "proxy">,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, ListedPrice>> {
  const client = createGatewayClient({
    ...gateway,
    baseUrl: new URL(gateway.baseUrl).origin,
    apiKey: null,
    connections: 1,
    maxAnswerBytes: MAX_ANSWER_BYTES,
  });
  try {
    const reply = await client.get(PATH, {
      timeoutMs: TIMEOUT_MS,
      ...(signal !== undefined && { signal }),
    });
    return reply.kind === "answered" && reply.status === 200
      ? readPriceList(reply.body)
      : new Map<string, ListedPrice>();
  } finally {
    void client.destroy();
  }
}

/** The prices in an answer of `/api/pricing`; what is no price there is left out. */
export function readPriceList(body: string): ReadonlyMap<string, ListedPrice> {
  const prices = new Map<string, ListedPrice>();
  const list = parseJson(body);
  if (!isRecord(list) || !Array.isArray(list["data"])) return prices;
  const groups = list["group_ratio"];
  const groupRatio = (isRecord(groups) ? amount(groups[GROUP]) : null) ?? 1;
  for (const model of list["data"] as unknown[]) {
    const name = isRecord(model) ? textOf(model["model_name"]) : null;
    const price = isRecord(model) ? readPrice(model, groupRatio) : null;
    if (name !== null && price !== null) prices.set(name, price);
  }
  return prices;
}

function readPrice(model: JsonRecord, groupRatio: number): ListedPrice | null {
  // Tiers, as newer versions have them, are a formula and no ratio.
  if (textOf(model["billing_expr"]) !== null) return null;
  const price = model["quota_type"] === BY_CALL ? pricePerCall(model) : pricePerTokens(model);
  if (price === null) return null;
  const { input, output, cached_input: cached, request } = price;
  // A list says 0 where nobody has set a price, too: unknown is never nothing.
  if (input + output + (request ?? 0) === 0) return null;
  return {
    input: input * groupRatio,
    output: output * groupRatio,
    ...(cached !== undefined && { cached_input: cached * groupRatio }),
    ...(request !== undefined && { request: request * groupRatio }),
  };
}

function pricePerCall(model: JsonRecord): ListedPrice | null {
  const request = amount(model["model_price"]);
  return request === null ? null : { input: 0, output: 0, request };
}

function pricePerTokens(model: JsonRecord): ListedPrice | null {
  const ratio = amount(model["model_ratio"]);
  const completionRatio = amount(model["completion_ratio"]);
  if (model["quota_type"] !== BY_TOKENS || ratio === null || completionRatio === null) return null;
  const input = ratio * USD_PER_RATIO;
  const cacheRatio = amount(model["cache_ratio"]);
  return {
    input,
    output: input * completionRatio,
    ...(cacheRatio !== null && { cached_input: input * cacheRatio }),
  };
}

function amount(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}
