import { oneLine } from "./screen-text.ts";

/** Where each model's price comes from; null where it is unknown. */
export type PriceSources = Readonly<Record<string, string | null>>;

/** What follows an amount, such as ` by list prices (genai-prices)`; nothing where the source is unknown. */
export function sourceText(sources: PriceSources, model: string): string {
  const source = sources[model] ?? null;
  if (source === null) return "";
  if (source === "job") return " by the job's pricing";
  return source === "gateway"
    ? " estimated by the gateway's own price list (/api/pricing)"
    : ` by list prices (${oneLine(source)})`;
}
