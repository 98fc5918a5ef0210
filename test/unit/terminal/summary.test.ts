import { describe, expect, it } from "vitest";

import { renderFailed, renderSummary, type ResultView } from "../../../src/terminal/summary.ts";
import { aModel, aResult, aUsage, DIRECTORY, PLAIN, someItems } from "./views.ts";

function summary(changes: Partial<ResultView> = {}): string {
  return renderSummary(aResult(changes), PLAIN);
}

function summaryOf(usage: Parameters<typeof aUsage>[0]): string {
  return summary({ usage: aUsage(usage) });
}

const REASON = {
  message: "401 Incorrect API key provided",
  remedy: "Check NIGHTSHIFT_API_KEY. Then run the same command again: it goes on where it stopped.",
};

describe("the end of a run", () => {
  it("is told in a few lines when all went well", () => {
    expect(summary()).toBe(
      `
✔ finished

  items       1,000 completed
  tokens      1,200,000 prompt + 300,000 completion = 1,500,000 total
  cost        $0.0123 by list prices (genai-prices)
  calls       1,000 attempts
  latency     p50 850 ms, p95 2.3 s
  time        5m 02s, 3.3 items/s

  output      runs/reviews-20260102T020000Z/output.csv
  results     runs/reviews-20260102T020000Z/results.jsonl
  usage       runs/reviews-20260102T020000Z/usage.json`.trim(),
    );
  });

  it("points to the causes when items failed", () => {
    const text = summaryOf({ items: someItems({ completed: 997, failed: 3 }) });
    expect(text).toMatch(/^⚠ finished, 3 items failed\n/);
    expect(text).toMatch(/\n {2}errors {6}runs\/reviews-20260102T020000Z\/errors\.jsonl\n/);
    expect(text).toMatch(
      /\n\n {2}why failed {2}nightshift status runs\/reviews-20260102T020000Z\n {2}try again {3}nightshift retry runs\/reviews-20260102T020000Z$/,
    );
  });

  it("does not have cut answers bought again as they were", () => {
    const result = aResult({ usage: aUsage({ items: someItems({ completed: 997, failed: 3 }) }) });
    expect(renderSummary(result, { ...PLAIN, cut: true })).toMatch(
      /nightshift retry runs\/reviews-20260102T020000Z --param max_tokens=<more>$/,
    );
  });

  it("tells of failed items in one line where nothing else is told", () => {
    expect(renderFailed(aResult(), PLAIN)).toBeNull();
    const result = aResult({ usage: aUsage({ items: someItems({ completed: 997, failed: 3 }) }) });
    expect(renderFailed(result, { ...PLAIN, cut: true })).toBe(
      "3 items failed: `nightshift status runs/reviews-20260102T020000Z` says why, " +
        "`nightshift retry runs/reviews-20260102T020000Z --param max_tokens=<more>` asks again",
    );
  });

  it("tells at a pause how to have what is there", () => {
    const row = "so far      nightshift export runs/reviews-20260102T020000Z writes what is there";
    expect(summary({ state: "paused", reason: REASON })).toMatch(new RegExp(`\n {2}${row}$`));
    const none = aUsage({ items: someItems({ completed: 0, pending: 1_000 }) });
    expect(summary({ state: "paused", reason: REASON, usage: none })).not.toContain("export");
  });

  it("names no usage.json that could not be written", () => {
    const { files } = aResult();
    expect(summary({ files: { ...files, usage: null } })).not.toContain("usage.json");
  });

  it("says why a run is paused and what to do", () => {
    expect(summary({ state: "paused", reason: REASON })).toMatch(
      /^⏸ paused: 401 Incorrect API key provided\n {2}Check NIGHTSHIFT_API_KEY\. Then run the same command again: it goes on where it stopped\.\n\n/,
    );
  });

  it("always says how to continue", () => {
    const reason = { message: "cancelled by an operator", remedy: "" };
    expect(summary({ state: "cancelled", reason })).toMatch(
      /^⏹ cancelled: cancelled by an operator\n {2}Run the same command again: it goes on where it stopped\.\n/,
    );
  });

  it("lets nothing in the gateway's words steer the terminal", () => {
    const reason = { ...REASON, message: "no\u001B[2J\nway" };
    expect(summary({ state: "paused", reason })).toMatch(/^⏸ paused: no way\n/);
  });

  it("says that nothing was called when there was nothing left to do", () => {
    expect(summary({ already_finished: true })).toMatch(
      /^✔ already finished: there was nothing left to do, and nothing was called\n/,
    );
  });

  it("says how much of the input a trial was about", () => {
    expect(summary({ records: 12_000 })).toContain(
      "\n\n  trial       the first 1,000 of the input's 12,000 records\n  items  ",
    );
  });

  it("counts what is pending", () => {
    expect(summaryOf({ items: someItems({ completed: 600, pending: 400 }) })).toContain(
      "600 completed, 400 pending",
    );
  });

  it("says what to do about answers that were cut off", () => {
    expect(summaryOf({ items: someItems({ truncated: 41 }) })).toContain(
      "truncated   41 answers were cut off at the token limit: raise max_tokens",
    );
  });

  it("tells cached and reasoning tokens where there are some", () => {
    const usage = { ...aUsage().usage, cached_tokens: 200, reasoning_tokens: 100 };
    expect(summaryOf({ usage })).toContain(
      "1,200,000 prompt (200 cached) + 300,000 completion (100 reasoning) = 1,500,000 total",
    );
  });

  it("sorts the causes of retries by how often they came", () => {
    expect(summaryOf({ retries: { http_500: 45, rate_limited: 200, timeout: 100 } })).toContain(
      "retries     345: 200 rate_limited, 100 timeout, 45 http_500",
    );
    expect(summaryOf({ retries: { http_500: 1_000 } })).toContain("retries     1,000 http_500\n");
  });

  it("explains calls that may have been billed", () => {
    expect(
      summaryOf({ failed_usage: { answers: 2, total_tokens: 72, cost_usd: 0.0031 } }),
    ).toContain(
      "paid too    2 answers were filtered or cut, and charged: 72 tokens ($0.0031), not in the cost above",
    );
    expect(summaryOf({ possibly_billed: 3, possibly_billed_cost_usd: 0.0042 })).toContain(
      "3 calls brought no usable answer but may have been charged (about $0.0042): not in the cost above",
    );
  });

  it("leaves out tokens, cost and latency where nothing completed", () => {
    const text = summaryOf({
      cost_usd: 0,
      models: {},
      items: someItems({ completed: 0, pending: 1_000 }),
      latency_ms: { p50: null, p95: null },
    });
    expect(text).not.toMatch(/tokens|cost|latency/);
  });

  it("shows a path in full where it lies outside the working directory", () => {
    const text = renderSummary(aResult(), { color: false, workingDirectory: "/srv/jobs" });
    expect(text).toContain(`output      ${DIRECTORY}/output.csv`);
  });

  it("quotes a directory that a shell would take apart", () => {
    const text = summary({
      directory: "/srv/runs/my reviews",
      usage: aUsage({ items: someItems({ failed: 1 }) }),
    });
    expect(text).toContain("nightshift status 'runs/my reviews'");
  });

  it("colors the headline by how it ended", () => {
    const text = renderSummary(aResult(), { ...PLAIN, color: true });
    expect(text).toContain("\u001B[32m✔ finished\u001B[39m");
  });
});

describe("a retry that no failed item matches", () => {
  const FAILED = aUsage({ items: someItems({ completed: 988, failed: 12 }) });
  const unmatched = { where: ["code=tiemout", "class=retry"], failed: { http_500: 4, timeout: 8 } };

  it("says so, and by which codes items have failed", () => {
    expect(summary({ already_finished: true, unmatched, usage: FAILED })).toMatch(
      /^⚠ no failed item matches code=tiemout and class=retry: nothing was called\n {2}12 items failed: 8 timeout, 4 http_500\n\n/,
    );
  });

  it("says when there is none at all", () => {
    const none = { where: [], failed: {} };
    expect(summary({ already_finished: true, unmatched: none })).toMatch(
      /^✔ no item has failed: nothing was called\n\n/,
    );
  });

  it("tells where to learn how a paused run goes on, not the remedy for another command", () => {
    const text = summary({ state: "paused", reason: REASON, unmatched, usage: FAILED });
    expect(text).toContain(
      "\n  The run is paused: `nightshift status runs/reviews-20260102T020000Z` says how to go on.\n",
    );
    expect(text).not.toContain("same command");
  });

  it("does not let the gateway's codes fill the screen", () => {
    const failed = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`code_${at}`, 1]));
    const [, causes] = summary({ unmatched: { where: ["status=1"], failed } }).split("\n");
    expect(causes).toMatch(/^ {2}500 items failed: .{170,180}…$/);
  });
});

describe("the cost", () => {
  it("says when the price is the job's own", () => {
    expect(summary({ price_sources: { "gpt-4o-mini": "job" } })).toContain(
      "$0.0123 by the job's pricing",
    );
  });

  it("is an estimate where the price is the gateway's own", () => {
    expect(summary({ price_sources: { "gpt-4o-mini": "gateway" } })).toContain(
      "cost        $0.0123 estimated by the gateway's own price list (/api/pricing)\n",
    );
  });

  it("is unknown, never 0, where a price is missing", () => {
    const text = summary({
      usage: aUsage({ cost_usd: null, models: { "qwen-max": aModel({ cost_usd: null }) } }),
      price_sources: { "qwen-max": null },
    });
    expect(text).toContain(
      "cost        unknown: add `pricing` to the job (no price for qwen-max)\n",
    );
  });

  it("is unknown, never 0, where the gateway told no usage at all", () => {
    const none = {
      prompt_tokens: 0,
      completion_tokens: 0,
      total_tokens: 0,
      cached_tokens: 0,
      reasoning_tokens: 0,
    };
    const text = summaryOf({
      usage: none,
      cost_usd: 0,
      models: { "gpt-4o-mini": aModel({ ...none, cost_usd: 0 }) },
      items: someItems({ without_usage: 1_000 }),
    });
    expect(text).toContain("cost        unknown: no usage to tell it by\n");
  });

  it("is a lower bound where some items came without usage", () => {
    const text = summaryOf({ items: someItems({ without_usage: 5 }) });
    expect(text).toContain("at least $0.0123 by list prices");
    expect(text).toContain("without 5 items whose usage the gateway did not tell");
  });

  it("is told for each model where there are several, the dearest first", () => {
    const text = summary({
      usage: aUsage({
        cost_usd: 13.22,
        models: {
          "gpt-4o-mini": aModel({ items: 9_000, cost_usd: 1.01 }),
          "qwen-max": aModel({ items: 988, cost_usd: 12.21 }),
        },
      }),
      price_sources: { "gpt-4o-mini": "genai-prices", "qwen-max": "job" },
    });
    expect(text).toContain(
      `
  cost        $13.22
              qwen-max       988 items  1,500,000 tokens  $12.21 by the job's pricing
              gpt-4o-mini  9,000 items  1,500,000 tokens   $1.01 by list prices (genai-prices)
`,
    );
  });
});
