import type { ProgressView } from "../../../src/terminal/progress-bar.ts";
import type { StatusView } from "../../../src/terminal/status-text.ts";
import type { ResultView } from "../../../src/terminal/summary.ts";
import type { UsageView } from "../../../src/terminal/usage-rows.ts";

export const DIRECTORY = "/srv/runs/reviews-20260102T020000Z";
export const PLAIN = { color: false, workingDirectory: "/srv" };

export function aProgress(changes: Partial<ProgressView> = {}): ProgressView {
  return {
    total: 10_000,
    completed: 5_202,
    failed: 12,
    retrying: null,
    in_flight: 64,
    retries: 14,
    items_per_second: 123.4,
    tokens_per_second: 45_123,
    eta_seconds: 192,
    elapsed_seconds: 302.4,
    cost_usd: 1.2345,
    waiting: null,
    limited_by: null,
    ...changes,
  };
}

type Usage = StatusView["usage"];

const TOKENS = {
  prompt_tokens: 1_200_000,
  completion_tokens: 300_000,
  total_tokens: 1_500_000,
  cached_tokens: 0,
  reasoning_tokens: 0,
};

export function aModel(
  changes: Partial<UsageView["models"][string]> = {},
): UsageView["models"][string] {
  return { items: 1_000, ...TOKENS, cost_usd: 0.01234, ...changes };
}

export function someItems(changes: Partial<Usage["items"]> = {}): Usage["items"] {
  return {
    total: 1_000,
    completed: 1_000,
    failed: 0,
    pending: 0,
    truncated: 0,
    without_usage: 0,
    ...changes,
  };
}

export function aUsage(changes: Partial<Usage> = {}): Usage {
  return {
    usage: TOKENS,
    cost_usd: 0.01234,
    models: { "gpt-4o-mini": aModel() },
    items: someItems(),
    reused: { shared: 0, carried_over: 0, saved_tokens: 0, saved_cost_usd: 0 },
    vanished: null,
    failed_usage: { answers: 0, total_tokens: 0, cost_usd: 0 },
    attempts: 1_000,
    retries: {},
    possibly_billed: 0,
    possibly_billed_cost_usd: 0,
    latency_ms: { p50: 850, p95: 2_300 },
    wall_seconds: 302,
    items_per_second: 3.31,
    ...changes,
  };
}

export function aResult(changes: Partial<ResultView> = {}): ResultView {
  return {
    directory: DIRECTORY,
    state: "finished",
    reason: null,
    already_finished: false,
    unmatched: null,
    records: 1_000,
    usage: aUsage(),
    budget: null,
    files: {
      output: `${DIRECTORY}/output.csv`,
      results: `${DIRECTORY}/results.jsonl`,
      errors: `${DIRECTORY}/errors.jsonl`,
      usage: `${DIRECTORY}/usage.json`,
    },
    price_sources: { "gpt-4o-mini": "genai-prices" },
    limits_found: { rpm: null, tpm: null, concurrency: null },
    ...changes,
  };
}

export function aStatus(changes: Partial<StatusView> = {}): StatusView {
  return {
    directory: DIRECTORY,
    run_id: "reviews-20260102T020000Z-ab12",
    job: "nightly-reviews",
    state: "finished",
    reason: null,
    input: "/srv/jobs/reviews.csv",
    records: 1_000,
    created_at: "2026-01-02T02:00:00.123Z",
    updated_at: "2026-01-02T02:05:02.000Z",
    in_use_by: null,
    usage: aUsage(),
    budget: null,
    errors: [],
    price_sources: { "gpt-4o-mini": "genai-prices" },
    ...changes,
  };
}
