import { rm } from "node:fs/promises";

import { loadPriceList } from "../job/pricing.ts";
import type { JobOverrides } from "../job/resolve.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import type { JobFile, Json } from "../job/schema.ts";
import type { Clock } from "../system/clock.ts";
import { bindInput } from "./bind-input.ts";
import { checkPrices } from "./budget/check.ts";
import { runsDirectory } from "./directory.ts";
import { Estimate, type ModelEstimate } from "./estimate.ts";
import { EarlierRuns } from "./reuse/earlier-runs.ts";
import { scanInput, type ScannedRequest } from "./scan-input.ts";
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
  /** Items that need no call; they are not in the figures above. Null where nobody looks for such. */
  readonly reused: ReuseEstimate | null;
  /** What is no error, but hardly meant. */
  readonly warnings: readonly string[];
}

/** What a run would not ask, and what that would save. */
interface ReuseEstimate {
  /** Items that are asked. */
  readonly new: number;
  /** Items that share the answer of one of those. */
  readonly shared: number;
  /** Items whose answer an earlier run has. */
  readonly carried_over: number;
  /** Items of the run before that are no longer in the input; null where nobody looks. */
  readonly vanished: number | null;
  readonly saved_prompt_tokens: number;
  /** US dollars, as in the figures of what is asked. */
  readonly saved_prompt_cost_usd: number | null;
  readonly saved_most_cost_usd: number | null;
}

/** Where the run would be. */
export interface DryRunPlace {
  readonly baseUrl: string;
  readonly workingDirectory: string;
  readonly clock: Clock;
}

const SAMPLES = 3;

/**
 * Reads and renders the whole input and calls nothing.
 *
 * @throws UsageError for anything that a run would refuse before its first call.
 */
export async function dryRun(
  target: string | JobFile,
  overrides: JobOverrides,
  place: DryRunPlace,
  signal: AbortSignal,
): Promise<DryRunReport> {
  const written = await resolveTarget(target, overrides);
  const [now, { workingDirectory }] = [place.clock.now(), place];
  // A mistake in `out` is told here, too.
  const root = runsDirectory(written, now, workingDirectory);
  const { job, spool } = await bindInput(written, {
    now,
    workingDirectory,
    stdin: process.stdin,
    signal,
  });
  try {
    return await estimate(job, place.baseUrl, root, signal);
  } finally {
    if (spool !== null) await rm(spool, { force: true });
  }
}

async function estimate(
  job: ResolvedJob,
  baseUrl: string,
  root: string,
  signal: AbortSignal,
): Promise<DryRunReport> {
  const prices = await loadPriceList(job.pricing);
  const samples: { custom_id: string; body: Json }[] = [];
  const asked = new Estimate(prices);
  const saved = new Estimate(prices);
  const counts = { new: 0, shared: 0, carried_over: 0 };
  const earlier = job.incremental
    ? await EarlierRuns.open({ job, baseUrl, root, own: null })
    : null;
  try {
    const scan = await scanInput(job, signal, (item, request) => {
      const body = JSON.parse(item.body) as { [key: string]: Json };
      if (samples.length < SAMPLES) samples.push({ custom_id: item.customId, body });
      const fate = fateOf(request, job, earlier);
      counts[fate] += 1;
      (fate === "new" ? asked : saved).add(item, body);
    });
    checkPrices(job, scan.models, prices);
    const savedTotals = saved.totals();
    return {
      input: job.input,
      records: scan.records,
      items: scan.items,
      samples,
      models: asked.models,
      ...asked.totals(),
      price_sources: Object.fromEntries(scan.models.map((model) => [model, prices.source(model)])),
      reused:
        job.dedupe || job.incremental
          ? {
              ...counts,
              vanished: (await earlier?.vanished(scan)) ?? null,
              saved_prompt_tokens: savedTotals.prompt_tokens,
              saved_prompt_cost_usd: savedTotals.prompt_cost_usd,
              saved_most_cost_usd: savedTotals.most_cost_usd,
            }
          : null,
      warnings: scan.warnings,
    };
  } finally {
    earlier?.answers.close();
  }
}

/** What would become of an item. */
function fateOf(
  request: ScannedRequest | null,
  { dedupe }: ResolvedJob,
  earlier: EarlierRuns | null,
): "new" | "shared" | "carried_over" {
  if (request === null) return "new";
  if (earlier?.answers.has(request.hash) === true) return "carried_over";
  return dedupe && request.isRepeat ? "shared" : "new";
}
