import { formatCount, formatMoney, plural } from "./format.ts";
import { createPaint, type Paint } from "./paint.ts";
import { type PriceSources, sourceText } from "./price-source.ts";
import { renderRows, type Row, row } from "./rows.ts";
import { clip, oneLine } from "./screen-text.ts";

/** What a run would ask and cost, as far as it is shown. */
export interface DryRunView {
  readonly input: string;
  readonly records: number;
  readonly items: number;
  readonly samples: readonly { readonly custom_id: string; readonly body: unknown }[];
  readonly models: readonly { readonly model: string; readonly items: number }[];
  readonly prompt_tokens: number;
  readonly most_completion_tokens: number | null;
  readonly prompt_cost_usd: number | null;
  readonly most_cost_usd: number | null;
  readonly price_sources: PriceSources;
  readonly reused: {
    readonly new: number;
    readonly shared: number;
    readonly carried_over: number;
    readonly vanished: number | null;
    readonly saved_prompt_tokens: number;
    readonly saved_prompt_cost_usd: number | null;
    readonly saved_most_cost_usd: number | null;
  } | null;
}

const SAMPLE_COLUMNS = 400;

/** What a dry run found: the size of the run, its likely cost, and the first requests. */
export function renderDryRun(report: DryRunView, options: { readonly color: boolean }): string {
  const paint = createPaint(options.color);
  const samples = report.samples.map(({ custom_id: id, body }) => [
    paint("bold", oneLine(id)),
    `  ${clip(oneLine(JSON.stringify(body)), SAMPLE_COLUMNS)}`,
  ]);
  return [
    [paint(["bold", "green"], "✔ dry run") + ": everything reads and renders, nothing was called"],
    renderRows(reportRows(report, paint), paint),
    ...samples,
  ]
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

function reportRows(report: DryRunView, paint: Paint): Row[] {
  const { items, records, models } = report;
  const most = report.most_completion_tokens;
  return [
    row("input", oneLine(report.input)),
    row("items", formatCount(items) + (items < records ? ` of ${plural(records, "record")}` : "")),
    ...reusedRows(report.reused),
    {
      label: "model",
      lines:
        models.length === 1
          ? models.map(({ model }) => oneLine(model))
          : models.map(({ model, items: count }) => `${oneLine(model)}: ${plural(count, "item")}`),
    },
    row(
      "tokens",
      `about ${formatCount(report.prompt_tokens)} prompt, ` +
        (most === null
          ? "completion unknown: no max_tokens is set"
          : `${formatCount(most)} completion at most`),
    ),
    row("cost", costText(report, paint)),
  ];
}

/** What would not be asked, and what that would save. */
function reusedRows(reused: DryRunView["reused"]): Row[] {
  if (reused === null) return [];
  const { saved_prompt_cost_usd: prompts, saved_most_cost_usd: most } = reused;
  const money =
    prompts === null
      ? ""
      : `, about ${formatMoney(prompts)}` + (most === null ? "" : `, ${formatMoney(most)} at most`);
  return [
    row("to ask", `${formatCount(reused.new)} new`),
    row(
      "not to ask",
      `${formatCount(reused.carried_over)} carried over from earlier runs, ` +
        `${formatCount(reused.shared)} shared within this run`,
    ),
    row("saves", `about ${formatCount(reused.saved_prompt_tokens)} prompt tokens${money}`),
    ...((reused.vanished ?? 0) > 0
      ? [row("vanished", `${plural(reused.vanished ?? 0, "item")} of the run before`)]
      : []),
  ];
}

function costText(report: DryRunView, paint: Paint): string {
  const { prompt_cost_usd: prompts, most_cost_usd: most } = report;
  if (prompts === null) return `${paint("yellow", "unknown")}: add \`pricing\` to the job`;
  const atMost = most === null ? "completions not counted" : `${formatMoney(most)} at most`;
  const [first, ...others] = report.models;
  const source =
    first === undefined || others.length > 0 ? "" : sourceText(report.price_sources, first.model);
  return `about ${formatMoney(prompts)} for the prompts, ${atMost}${source && `,${source}`}`;
}
