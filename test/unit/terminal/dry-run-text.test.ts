import { describe, expect, it } from "vitest";

import type { DryRunReport } from "../../../src/run/dry-run.ts";
import { renderDryRun } from "../../../src/terminal/dry-run-text.ts";

function aReport(changes: Partial<DryRunReport> = {}): DryRunReport {
  return {
    input: "reviews.csv",
    records: 1_000,
    items: 100,
    samples: [{ custom_id: "r-1", body: { model: "gpt-4o-mini", max_tokens: 50 } }],
    models: [
      { model: "gpt-4o-mini", items: 100, prompt_tokens: 12_345, most_completion_tokens: 5_000 },
    ],
    prompt_tokens: 12_345,
    most_completion_tokens: 5_000,
    prompt_cost_usd: 0.00185,
    most_cost_usd: 0.00485,
    price_sources: { "gpt-4o-mini": "genai-prices" },
    reused: null,
    warnings: [],
    ...changes,
  };
}

function text(changes: Partial<DryRunReport> = {}): string {
  return renderDryRun(aReport(changes), { color: false });
}

describe("a dry run", () => {
  it("tells the size, the likely cost and the first requests", () => {
    expect(text()).toBe(
      `
✔ dry run: everything reads and renders, nothing was called

  input       reviews.csv
  items       100 of 1,000 records
  model       gpt-4o-mini
  tokens      about 12,345 prompt, 5,000 completion at most
  cost        about $0.00185 for the prompts, $0.00485 at most, by list prices (genai-prices)

r-1
  {"model":"gpt-4o-mini","max_tokens":50}`.trim(),
    );
  });

  it("says that it cannot tell the most without max_tokens", () => {
    const report = text({ most_completion_tokens: null, most_cost_usd: null });
    expect(report).toContain("about 12,345 prompt, completion unknown: no max_tokens is set");
    expect(report).toContain("about $0.00185 for the prompts, completions not counted");
  });

  it("tells an unknown cost as unknown, never as 0", () => {
    expect(text({ prompt_cost_usd: null, most_cost_usd: null })).toContain(
      "cost        unknown: add `pricing` to the job",
    );
  });
});
