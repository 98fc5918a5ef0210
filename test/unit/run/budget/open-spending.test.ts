import { describe, expect, it } from "vitest";

import type { RunStopped } from "../../../../src/errors.ts";
import type { Item } from "../../../../src/item.ts";
import type { BudgetLimits } from "../../../../src/job/resolved-job.ts";
import { readUnrecorded } from "../../../../src/ledger/budget-log.ts";
import { Ledger } from "../../../../src/ledger/ledger.ts";
import type { Outcome } from "../../../../src/outcome.ts";
import { openSpending } from "../../../../src/run/budget/open-spending.ts";
import { pricesFor, reportBudget } from "../../../../src/run/budget/report.ts";
import type { WorkParts } from "../../../../src/run/work-parts.ts";
import { openLog } from "../../../../src/system/log.ts";
import type { CostOf } from "../../../../src/tokens.ts";
import type { FakeClock } from "../../../fakes/fake-clock.ts";
import { aBody, aCompleted, aFailed, aFiltered } from "../../ledger/run-directory.ts";
import { aJob, aManifest, anOrder, aScan, aScene, aWorkspace, type Workspace } from "../jobs.ts";

/** A micro-dollar a token, and a hundred for each call of `dear`; nobody else has a price. */
const costOf: CostOf = (model, { total }, calls = 1) =>
  model === "dear" ? (total + 100 * calls) / 1e6 : model === "cheap" ? total / 1e6 : null;

const ITEM: Item = {
  index: 9,
  customId: "r9",
  model: "cheap",
  body: JSON.stringify({ messages: [{ content: "Hello" }], max_tokens: 50 }),
};

/** A run that has ended these items so far. */
async function aSitting(
  { path }: Workspace,
  budget: Partial<BudgetLimits>,
  outcomes: readonly Outcome[] = [],
): Promise<{ parts: WorkParts; clock: FakeClock } & AsyncDisposable> {
  const job = aJob({ budget: { usd: null, tokens: null, requests: null, ...budget } });
  const { order, clock } = anOrder({ job });
  const manifest = aManifest();
  const ledger = await Ledger.open(path, manifest.run_id, costOf);
  for (const outcome of outcomes) await ledger.record(outcome);
  const scene = {
    ...aScene(order, {
      directory: path,
      scan: aScan({ models: ["cheap", "dear"], largest: { prompt: 300, completion: 50 } }),
    }),
    prices: { cost: costOf, source: () => null, learn: () => {}, learned: {} },
  };
  const wanted = { size: 1, has: () => true, before: "pending" as const, done: () => {} };
  const runLog = openLog(`${path}/run.log`, "silent", {});
  return {
    parts: { scene, manifest, wasLeft: false, ledger, wanted, log: runLog.log },
    clock,
    [Symbol.asyncDispose]: async () => {
      await ledger.close();
      await runLog.close();
    },
  };
}

/** Why a run stops that has these outcomes and asks for one more item. */
async function stopOf(
  workspace: Workspace,
  budget: Partial<BudgetLimits>,
  outcomes: readonly Outcome[] = [],
): Promise<RunStopped | undefined> {
  await using sitting = await aSitting(workspace, budget, outcomes);
  let stopped: RunStopped | undefined;
  const spending = openSpending(sitting.parts, (reason) => (stopped = reason));
  spending?.reserve(ITEM, new AbortController().signal).catch(() => {});
  await sitting.clock.advance(1_000);
  return stopped;
}

describe("the books of a run", () => {
  it("are not kept without a budget", async () => {
    await using workspace = await aWorkspace();
    await using sitting = await aSitting(workspace, {});
    expect(openSpending(sitting.parts, () => {})).toBeNull();
  });

  it("are kept on by a sitting without one, so that a later one misses nothing", async () => {
    await using workspace = await aWorkspace();
    await using first = await aSitting(workspace, { tokens: 5 });
    openSpending(first.parts, () => {})?.close();
    await using second = await aSitting(workspace, {});
    expect(openSpending(second.parts, () => {})).not.toBeNull();
  });

  it("begin with all that the run has cost so far, and what it may have cost at most", async () => {
    await using workspace = await aWorkspace();
    const body = aBody({ model: "cheap", usage: { prompt_tokens: 60, completion_tokens: 40 } });
    await using sitting = await aSitting(workspace, { usd: 1, tokens: 5_000, requests: 100 }, [
      aCompleted(0, { body }),
      aCompleted(1, { body: aBody({ model: "cheap", usage: null }), attempts: 2 }),
      aFailed(2, { attempts: 3, possiblyBilled: 1 }),
    ]);
    const { ledger, manifest } = sitting.parts;
    openSpending(sitting.parts, () => {})?.close();
    const report = reportBudget({
      limits: { usd: 1, tokens: 5_000, requests: 100 },
      usage: ledger.usage.report({ total: null, completed: 2, failed: 1, wallMs: 0 }),
      unrecorded: readUnrecorded(workspace.path, manifest.run_id, ledger.items),
      usdOf: pricesFor(costOf, ["cheap", "dear"]),
    });
    // Two calls of which nothing is known count like the largest item of the dearest model.
    expect(report).toMatchObject({
      tokens: { spent: 800, limit: 5_000, in_doubt: 700 },
      requests: { spent: 6, limit: 100, in_doubt: 0 },
    });
    // Of the answered one the price of the call stands in results.jsonl.
    expect(report?.usd?.spent).toBeCloseTo(0.000_9, 9);
    expect(report?.usd?.in_doubt).toBeCloseTo(0.000_8, 9);
  });
});

describe("answers that were withheld", () => {
  it("are in the books of a budget that comes later, at what they used", async () => {
    await using workspace = await aWorkspace();
    const usage = { prompt_tokens: 60, completion_tokens: 40 };
    const body = aBody({ model: "dear", finishReason: "content_filter", usage });
    const response = { status: 200, requestId: null, body };
    const ended = [aFiltered(0, { response })];
    await using before = await aSitting(workspace, {}, ended);
    const report = (unrecorded: ReturnType<typeof readUnrecorded>): unknown =>
      reportBudget({
        limits: { usd: 1, tokens: 5_000, requests: null },
        usage: before.parts.ledger.usage.report({ total: 1, completed: 0, failed: 1, wallMs: 0 }),
        unrecorded,
        usdOf: pricesFor(costOf, ["dear"]),
      });
    const spent = { usd: { spent: 0.000_2 }, tokens: { spent: 100 } };
    expect(report(null)).toMatchObject(spent);

    await using sitting = await aSitting(workspace, { tokens: 5_000 });
    openSpending(sitting.parts, () => {})?.close();
    const { ledger, manifest } = sitting.parts;
    expect(report(readUnrecorded(workspace.path, manifest.run_id, ledger.items))).toMatchObject(
      spent,
    );
  });
});

describe("a spent budget stops the run", () => {
  it("with what is spent, what the next item may cost, and the flag with a larger number", async () => {
    await using workspace = await aWorkspace();
    const stopped = await stopOf(workspace, { tokens: 100, requests: 1 }, [aCompleted(0)]);
    expect(stopped?.reason).toBe("budget");
    expect(stopped?.message).toMatch(
      /^the budget is spent: 10 of 100 tokens \(the next item may cost \d+\), 1 of 1 requests/,
    );
    expect(stopped?.remedy).toMatch(
      /`nightshift run … --budget-tokens \d+ --budget-requests 3`: it goes on/,
    );
  });

  it("with an example that lets the next item go, however large it is", async () => {
    await using workspace = await aWorkspace();
    const { remedy = "" } = (await stopOf(workspace, { usd: 0.000_001 })) ?? {};
    const usd = Number(/--budget-usd ([\d.e-]+)`/.exec(remedy)?.[1]);
    await using other = await aWorkspace();
    expect(await stopOf(other, { usd })).toBeUndefined();
  });
});

it("an answer by a name that has no price costs what the dearest asked model costs", () => {
  const usage = { prompt: 10, completion: 0, total: 10, cached: 0, reasoning: 0 };
  expect(pricesFor(costOf, ["cheap", "dear"])("dear-2026", usage)).toBeCloseTo(0.000_11, 9);
});
