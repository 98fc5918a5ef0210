import { formatCount, formatDuration, formatMoney, formatRate, plural } from "./format.ts";
import type { Paint } from "./paint.ts";
import { type PriceSources, sourceText } from "./price-source.ts";
import { type Row, row } from "./rows.ts";
import { oneLine, widthOf } from "./screen-text.ts";

interface TokensView {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly cached_tokens: number;
  readonly reasoning_tokens: number;
}

interface ModelView extends TokensView {
  readonly items: number;
  readonly cost_usd: number | null;
}

/** What a run used, as far as it is shown. */
export interface UsageView {
  readonly usage: TokensView;
  readonly cost_usd: number | null;
  readonly models: Readonly<Record<string, ModelView>>;
  readonly items: {
    /** Null while the input was not read to its end. */
    readonly total: number | null;
    readonly completed: number;
    readonly failed: number;
    readonly pending: number | null;
    readonly truncated: number;
    readonly without_usage: number;
  };
  readonly reused: {
    readonly shared: number;
    readonly carried_over: number;
    readonly saved_tokens: number;
    readonly saved_cost_usd: number | null;
  };
  readonly vanished: number | null;
  readonly failed_usage: {
    readonly answers: number;
    readonly total_tokens: number;
    readonly cost_usd: number | null;
  };
  readonly attempts: number;
  readonly retries: Readonly<Record<string, number>>;
  readonly possibly_billed: number;
  readonly possibly_billed_cost_usd: number | null;
  readonly latency_ms: { readonly p50: number | null; readonly p95: number | null };
  readonly wall_seconds: number;
  readonly items_per_second: number | null;
}

/** What a run did and what that cost. Only what there is something to say about gets a row. */
export function usageRows(usage: UsageView, sources: PriceSources, paint: Paint): Row[] {
  const { items, latency_ms: latency } = usage;
  return [
    row("items", countsText(usage, paint)),
    ...(items.truncated > 0 ? [row("truncated", truncatedText(items.truncated, paint))] : []),
    ...(items.completed > 0
      ? [{ label: "tokens", lines: tokensLines(usage, paint) }, costRow(usage, sources, paint)]
      : []),
    ...reusedRows(usage),
    ...(usage.attempts > 0 ? [row("calls", plural(usage.attempts, "attempt"))] : []),
    ...retriesRows(usage.retries),
    ...(usage.failed_usage.answers > 0 ? [row("paid too", failedUsageText(usage, paint))] : []),
    ...(usage.possibly_billed > 0 ? [row("maybe paid", possiblyBilledText(usage, paint))] : []),
    ...(latency.p50 !== null && latency.p95 !== null
      ? [row("latency", `p50 ${formatDuration(latency.p50)}, p95 ${formatDuration(latency.p95)}`)]
      : []),
    ...(usage.wall_seconds > 0 ? [row("time", timeText(usage))] : []),
  ];
}

/** How much of the input a run is about, where that is not all of it. */
export function trialRows({
  records,
  usage,
}: {
  readonly records: number | null;
  readonly usage: UsageView;
}): Row[] {
  const { total } = usage.items;
  if (total === null || records === null || total >= records) return [];
  return [
    row("trial", `the first ${formatCount(total)} of the input's ${plural(records, "record")}`),
  ];
}

/** What needed no call, and what that saved. */
function reusedRows({ reused, vanished }: UsageView): Row[] {
  const { shared, carried_over: carried, saved_tokens: tokens, saved_cost_usd: cost } = reused;
  const parts = [
    ...(carried > 0 ? [`${formatCount(carried)} carried over from earlier runs`] : []),
    ...(shared > 0 ? [`${formatCount(shared)} shared within this run`] : []),
  ];
  const saved = cost === null ? "" : ` (${formatMoney(cost)})`;
  return [
    ...(parts.length > 0
      ? [row("not asked", parts.join(", ")), row("saved", plural(tokens, "token") + saved)]
      : []),
    ...((vanished ?? 0) > 0
      ? [row("vanished", `${plural(vanished ?? 0, "item")} of the run before`)]
      : []),
  ];
}

/** The cost in a word, for tables: never 0 for unknown. */
export function costText(usage: Pick<UsageView, "cost_usd" | "usage" | "items">): string {
  const { cost_usd: cost, items } = usage;
  if (cost === null) return "unknown";
  if (items.without_usage === 0) return formatMoney(cost);
  return usage.usage.total_tokens === 0 ? "unknown" : `at least ${formatMoney(cost)}`;
}

function countsText({ items }: UsageView, paint: Paint): string {
  const parts = [`${formatCount(items.completed)} completed`];
  if (items.failed > 0) parts.push(paint("red", `${formatCount(items.failed)} failed`));
  if (items.pending !== null && items.pending > 0) {
    parts.push(paint("yellow", `${formatCount(items.pending)} pending`));
  }
  return parts.join(", ");
}

function truncatedText(count: number, paint: Paint): string {
  return paint(
    "yellow",
    `${plural(count, "answer was", "answers were")} cut off at the token limit: raise max_tokens`,
  );
}

function tokensLines({ usage, items }: UsageView, paint: Paint): string[] {
  const cached = usage.cached_tokens > 0 ? ` (${formatCount(usage.cached_tokens)} cached)` : "";
  const reasoning =
    usage.reasoning_tokens > 0 ? ` (${formatCount(usage.reasoning_tokens)} reasoning)` : "";
  const sum =
    `${formatCount(usage.prompt_tokens)} prompt${cached} + ` +
    `${formatCount(usage.completion_tokens)} completion${reasoning} = ` +
    `${formatCount(usage.total_tokens)} total`;
  if (items.without_usage === 0) return [sum];
  const missing = paint(
    "yellow",
    `without ${plural(items.without_usage, "item")} whose usage the gateway did not tell`,
  );
  return usage.total_tokens === 0 ? [missing] : [sum, missing];
}

function costRow(usage: UsageView, sources: PriceSources, paint: Paint): Row {
  const models = Object.entries(usage.models);
  const single = models.length === 1 ? models[0] : undefined;
  const unpriced = models.filter(([, model]) => model.cost_usd === null).map(([name]) => name);
  const text = costText(usage);
  const lines = modelLines(models, sources, paint);
  if (unpriced.length > 0) {
    const names = unpriced.map(oneLine).join(", ");
    const advice = `add \`pricing\` to the job (no price for ${names})`;
    return { label: "cost", lines: [`${paint("yellow", "unknown")}: ${advice}`, ...lines] };
  }
  if (text === "unknown") return row("cost", `${paint("yellow", text)}: no usage to tell it by`);
  const source = single === undefined ? "" : sourceText(sources, single[0]);
  return { label: "cost", lines: [paint("bold", text) + source, ...lines] };
}

/** Each model by itself where there is more than one, the dearest first. */
function modelLines(
  models: readonly (readonly [string, ModelView])[],
  sources: PriceSources,
  paint: Paint,
): string[] {
  if (models.length < 2) return [];
  const cells = models
    .toSorted(([, a], [, b]) => (b.cost_usd ?? 0) - (a.cost_usd ?? 0))
    .map(([name, model]) => ({
      name: oneLine(name),
      items: plural(model.items, "item"),
      tokens: plural(model.total_tokens, "token"),
      cost: modelCostText(model),
      source: sourceText(sources, name),
    }));
  const columns = (cell: "name" | "items" | "tokens" | "cost"): number =>
    Math.max(...cells.map((line) => widthOf(line[cell])));
  return cells.map(({ name, items, tokens, cost, source }) =>
    [
      name + " ".repeat(columns("name") - widthOf(name)),
      paint("dim", items.padStart(columns("items"))),
      paint("dim", tokens.padStart(columns("tokens"))),
      cost.padStart(columns("cost")) + source,
    ].join("  "),
  );
}

function modelCostText({ cost_usd: cost, total_tokens: tokens }: ModelView): string {
  return cost === null || tokens === 0 ? "unknown" : formatMoney(cost);
}

function retriesRows(retries: Readonly<Record<string, number>>): Row[] {
  const causes = Object.entries(retries).toSorted(([, a], [, b]) => b - a);
  if (causes.length === 0) return [];
  const sum = causes.reduce((total, [, count]) => total + count, 0);
  const list = causes.map(([cause, count]) => `${formatCount(count)} ${oneLine(cause)}`).join(", ");
  return [row("retries", causes.length === 1 ? list : `${formatCount(sum)}: ${list}`)];
}

function failedUsageText({ failed_usage: failed }: UsageView, paint: Paint): string {
  const answers = paint("yellow", plural(failed.answers, "answer was", "answers were"));
  const cost = failed.cost_usd === null ? "" : ` (${formatMoney(failed.cost_usd)})`;
  const tokens = plural(failed.total_tokens, "token");
  return `${answers} filtered or cut, and charged: ${tokens}${cost}, not in the cost above`;
}

function possiblyBilledText(
  { possibly_billed: count, possibly_billed_cost_usd: cost }: UsageView,
  paint: Paint,
): string {
  const calls = paint("yellow", plural(count, "call"));
  const about = cost === null ? "" : ` (about ${formatMoney(cost)})`;
  return `${calls} brought no usable answer but may have been charged${about}: not in the cost above`;
}

function timeText({ wall_seconds: seconds, items_per_second: rate }: UsageView): string {
  const time = formatDuration(seconds * 1000);
  return rate === null ? time : `${time}, ${formatRate(rate, "items")}`;
}
