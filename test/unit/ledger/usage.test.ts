import * as fc from "fast-check";
import { describe, expect, test, vi } from "vitest";

import { type LedgerView, readLedger } from "../../../src/ledger/read.ts";
import { entryOfOutcome, UsageTally } from "../../../src/ledger/usage-tally.ts";
import type { UsageReport } from "../../../src/ledger/usage.ts";
import type { Outcome } from "../../../src/outcome.ts";
import {
  aBody,
  aCompleted,
  aFailed,
  aFiltered,
  anOutcome,
  costOf,
  openLedger,
  RUN_ID,
  runDirectory,
} from "./run-directory.ts";

// Properties that touch the disk take their time on a machine under load.
vi.setConfig({ testTimeout: 20_000 });

function reportOf(outcomes: readonly Outcome[], wallMs = 2_000): UsageReport {
  const tally = new UsageTally(costOf);
  for (const outcome of outcomes) tally.add(entryOfOutcome(outcome));
  const count = (kind: string): number =>
    outcomes.filter((outcome) => outcome.kind === kind).length;
  const counts = { completed: count("completed"), failed: count("failed") };
  return tally.report({ total: 10, ...counts, wallMs });
}

/** Tokens of an answer that was paid for and that the item does not have. */
function tokensInVain({ kind, response }: Outcome): number {
  if (kind === "completed" || response === null) return 0;
  const { usage } = JSON.parse(response.body) as {
    usage?: { prompt_tokens: number; completion_tokens: number };
  };
  return (usage?.prompt_tokens ?? 0) + (usage?.completion_tokens ?? 0);
}

/** Everything that a ledger's tally tells. */
function figuresOf({ items, usage }: Pick<LedgerView, "items" | "usage">): {
  readonly report: UsageReport;
  readonly live: Readonly<Record<"tokens" | "retries" | "cost", number | null>>;
} {
  const { completed, failed } = items;
  const { tokens, retries, cost } = usage;
  return {
    report: usage.report({ total: 12, completed, failed, wallMs: 9 }),
    live: { tokens, retries, cost },
  };
}

describe("the report", () => {
  test("adds up what was used and what it took", () => {
    const details = {
      prompt_tokens: 100,
      completion_tokens: 20,
      total_tokens: 120,
      prompt_tokens_details: { cached_tokens: 64 },
      completion_tokens_details: { reasoning_tokens: 8 },
    };
    const report = reportOf([
      aCompleted(0, { body: aBody({ usage: details }), attempts: 3, retries: { timeout: 2 } }),
      aCompleted(1, { possiblyBilled: 1 }),
      aFailed(2, { attempts: 6, retries: { timeout: 1, http_500: 5 } }),
    ]);
    expect(report).toMatchObject({
      usage: {
        prompt_tokens: 107,
        completion_tokens: 23,
        total_tokens: 130,
        cached_tokens: 64,
        reasoning_tokens: 8,
      },
      cost_usd: 0.000_13,
      models: { "gpt-4o-mini": { items: 2, total_tokens: 130, cost_usd: 0.000_13 } },
      items: { total: 10, completed: 2, failed: 1, pending: 7 },
      attempts: 10,
      retries: { http_500: 5, timeout: 3 },
      possibly_billed: 1,
      // Like an average item: half of what two of them cost.
      possibly_billed_cost_usd: 0.000_065,
      wall_seconds: 2,
      items_per_second: 1.5,
    });
  });

  test("counts a shared answer as completed, and what it had used as saved", () => {
    const shared = { attempts: 0, ms: 0, reused: { kind: "shared", with: 0 } as const };
    const report = reportOf([aCompleted(0), aCompleted(1, shared), aFailed(2, shared)]);
    expect(report).toMatchObject({
      usage: { total_tokens: 10 },
      cost_usd: 0.000_01,
      models: { "gpt-4o-mini": { items: 1 } },
      items: { completed: 2, failed: 1 },
      reused: { shared: 1, saved_tokens: 10, saved_cost_usd: 0.000_01 },
      attempts: 1,
      latency_ms: reportOf([aCompleted(0)]).latency_ms,
    });
  });

  test("does not know what was saved where it does not know a price", () => {
    const body = aBody({ model: "mystery" });
    const report = reportOf([aCompleted(1, { body, reused: { kind: "shared", with: 0 } })]);
    expect(report.reused).toMatchObject({ shared: 1, saved_tokens: 10, saved_cost_usd: null });
    expect(report.cost_usd).toBe(0);
  });

  test("tells apart what was paid for answers that no item has", () => {
    const refused = { status: 400, requestId: null, body: aBody() };
    const report = reportOf([
      aCompleted(0),
      aFiltered(1),
      // Nothing was called for it.
      aFiltered(2, { attempts: 0, reused: { kind: "shared", with: 1 } }),
      // Counted as possibly billed.
      aFiltered(3, { class: "retry", possiblyBilled: 1 }),
      aFailed(4, { response: refused }),
    ]);
    expect(report.usage.total_tokens).toBe(10);
    expect(report.cost_usd).toBe(0.000_01);
    const tokens = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 };
    expect(report.failed_usage).toMatchObject({
      answers: 1,
      ...tokens,
      cost_usd: 0.000_01,
      models: { "gpt-4o-mini": { items: 1, ...tokens } },
    });
  });

  test("does not know what an answer cost that no item has, where it does not know its price", () => {
    const response = { status: 200, requestId: null, body: aBody({ model: "mystery" }) };
    const { failed_usage: failed } = reportOf([aFiltered(0, { response })]);
    expect(failed).toMatchObject({ answers: 1, total_tokens: 10, cost_usd: null });
  });

  test("counts answers that were cut at max_tokens", () => {
    const cut = aCompleted(0, { body: aBody({ finishReason: "length" }) });
    expect(reportOf([cut, aCompleted(1)]).items.truncated).toBe(1);
  });

  test("takes latency from completed items alone", () => {
    const { latency_ms: latency } = reportOf([
      aFailed(0, { ms: 90_000 }),
      aCompleted(1, { ms: 1 }),
    ]);
    expect(latency).toEqual({ p50: 1, p95: 1, p99: 1 });
  });

  test("of nothing has no rate and no latency, and cost nothing", () => {
    expect(reportOf([], 0)).toMatchObject({
      cost_usd: 0,
      latency_ms: { p50: null, p95: null, p99: null },
      items_per_second: null,
    });
  });
});

describe("a price that nobody knows", () => {
  test("makes the model's cost and the sum unknown, never a part of it", () => {
    const report = reportOf([
      aCompleted(0),
      aCompleted(1, { body: aBody({ model: "mystery" }) }),
      aCompleted(2),
    ]);
    expect([
      report.cost_usd,
      report.models["mystery"]?.cost_usd,
      report.models["gpt-4o-mini"]?.cost_usd,
    ]).toEqual([null, null, 0.000_02]);
  });

  test("is unknown and not 0 where the gateway named no usage either", () => {
    const report = reportOf([aCompleted(0, { body: aBody({ model: "mystery", usage: null }) })]);
    expect([report.cost_usd, report.models["mystery"]?.cost_usd]).toEqual([null, null]);
  });

  test("holds for all items once somebody tells it", () => {
    let price: number | null = null;
    const tally = new UsageTally((_model, { total }, calls = 1) =>
      price === null ? null : total * price + calls,
    );
    const mystery = (index: number): void =>
      tally.add(entryOfOutcome(aCompleted(index, { body: aBody({ model: "mystery" }) })));
    mystery(0);
    mystery(1);
    expect(tally.cost).toBeNull();
    price = 0.5;
    mystery(2);
    const report = tally.report({ total: 3, completed: 3, failed: 0, wallMs: 0 });
    // Each of the three: ten tokens and a call.
    expect([tally.cost, report.cost_usd, report.models["mystery"]?.cost_usd]).toEqual([18, 18, 18]);
  });

  test("stays unknown in the live tally", () => {
    const tally = new UsageTally(costOf);
    tally.add(entryOfOutcome(aCompleted(0, { body: aBody({ model: "mystery" }) })));
    tally.add(entryOfOutcome(aCompleted(1)));
    expect([tally.cost, tally.tokens]).toEqual([null, 20]);
  });
});

test("an answer without usage is counted as such, and the others still have their cost", () => {
  const report = reportOf([aCompleted(0, { body: aBody({ usage: null }) }), aCompleted(1)]);
  expect(report).toMatchObject({
    cost_usd: 0.000_01,
    items: { without_usage: 1 },
    models: { "gpt-4o-mini": { items: 2, total_tokens: 10 } },
  });
});

describe("rebuilt from its files, the tally", () => {
  test("equals the live one where a fraction of a millisecond was rounded on the way", async () => {
    await using directory = await runDirectory();
    const live = await openLedger(directory);
    await live.record(aCompleted(0, { ms: 20.55 }));
    await live.close();
    const looked = await readLedger(directory.path, RUN_ID, costOf);
    const counts = { total: 1, completed: 1, failed: 0, wallMs: 9 };
    expect(looked.usage.report(counts)).toEqual(live.usage.report(counts));
  });

  test("equals the live one of any failures, retries and completions, settled or not", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anOutcome(5), { maxLength: 25 }), async (outcomes) => {
        await using directory = await runDirectory();
        const look = (): Promise<LedgerView> => readLedger(directory.path, RUN_ID, costOf);
        const live = await openLedger(directory);
        for (const outcome of outcomes) await live.record(outcome);
        const reports = [figuresOf(live), figuresOf(await look())];
        await live.settle();
        reports.push(figuresOf(live), figuresOf(await look()));
        await live.close();
        const rebuilt = await openLedger(directory);
        reports.push(figuresOf(rebuilt));
        await rebuilt.close();
        for (const report of reports) expect(report).toEqual(reports[0]);
      }),
      { numRuns: 25 },
    );
  });

  test("forgets no call, in whichever sitting its item failed or completed", async () => {
    const sittings = fc.array(fc.array(anOutcome(4), { maxLength: 6 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(sittings, fc.boolean(), async (outcomesOfEach, settles) => {
        await using directory = await runDirectory();
        const completed = new Set<number>();
        const made = { attempts: 0, possibly_billed: 0, retries: 0, in_vain: 0 };
        for (const outcomes of outcomesOfEach) {
          const ledger = await openLedger(directory);
          for (const outcome of outcomes) {
            await ledger.record(outcome);
            // What has completed is never asked again: such an outcome is dropped.
            if (completed.has(outcome.index)) continue;
            if (outcome.kind === "completed") completed.add(outcome.index);
            made.attempts += outcome.attempts;
            made.possibly_billed += outcome.possiblyBilled;
            for (const count of Object.values(outcome.retries)) made.retries += count;
            made.in_vain += tokensInVain(outcome);
          }
          if (settles) await ledger.settle();
          await ledger.close();
        }
        const { report, live } = figuresOf(await readLedger(directory.path, RUN_ID, costOf));
        expect({
          attempts: report.attempts,
          possibly_billed: report.possibly_billed,
          retries: live.retries,
          in_vain: report.failed_usage.total_tokens,
        }).toEqual(made);
      }),
      { numRuns: 25 },
    );
  });

  test("equals the live one after a kill that tore nothing, without any settling", async () => {
    const once = fc.uniqueArray(anOutcome(), { selector: ({ index }) => index });
    await fc.assert(
      fc.asyncProperty(once, async (outcomes) => {
        await using directory = await runDirectory();
        const live = await openLedger(directory);
        await Promise.all(outcomes.map((outcome) => live.record(outcome)));
        const looked = await readLedger(directory.path, RUN_ID, costOf);
        const counts = { total: 12, completed: 0, failed: 0, wallMs: 9 };
        expect(looked.usage.report(counts)).toEqual(live.usage.report(counts));
        await live.close();
      }),
      { numRuns: 15 },
    );
  });
});
