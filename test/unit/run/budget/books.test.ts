import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";

import * as fc from "fast-check";
import { expect, it } from "vitest";

import { classify } from "../../../../src/gateway/classify.ts";
import type { Item } from "../../../../src/item.ts";
import { BudgetLog, readUnrecorded } from "../../../../src/ledger/budget-log.ts";
import { Ledger } from "../../../../src/ledger/ledger.ts";
import type { Outcome } from "../../../../src/outcome.ts";
import { Budget, type Cost } from "../../../../src/run/budget/budget.ts";
import { pricesFor, spentSoFar } from "../../../../src/run/budget/report.ts";
import { Spending } from "../../../../src/run/budget/spending.ts";
import type { CostOf } from "../../../../src/tokens.ts";
import { FakeClock } from "../../../fakes/fake-clock.ts";
import { aCompletion, anError, aSilence } from "../../../fakes/fake-gateway.ts";
import { aBody, aCompleted, aFailed, RUN_ID } from "../../ledger/run-directory.ts";
import { aWorkspace } from "../jobs.ts";

const MODEL = "priced";
const USAGE = { prompt_tokens: 30, completion_tokens: 12 };

/** A micro-dollar for each prompt token, three for the others, and a hundred for the call. */
const costOf: CostOf = (_model, { prompt, completion }, calls = 1) =>
  (prompt + 3 * completion + 100 * calls) / 1e6;
const usdOf = pricesFor(costOf, [MODEL]);

const REPLIES = {
  answer: aCompletion({ ...USAGE, total_tokens: 42 }),
  "no usage": aCompletion({}),
  timeout: aSilence("timeout"),
  error: anError(500, ""),
  throttled: anError(429, "rate_limit_exceeded"),
};
type Reply = keyof typeof REPLIES;

function anItem(index: number): Item {
  const body = JSON.stringify({ messages: [{ content: `Item ${index}` }], max_tokens: 20 });
  return { index, customId: `r${index}`, model: MODEL, body };
}

/** What becomes of an item whose calls have these replies. */
function outcomeOf(index: number, replies: readonly Reply[]): Outcome {
  const attempts = replies.filter((name) => name !== "throttled").length;
  const possiblyBilled = replies.filter((name) => name === "timeout").length;
  const last = replies.at(-1);
  if (last !== "answer" && last !== "no usage") return aFailed(index, { attempts, possiblyBilled });
  const body = aBody({ model: MODEL, usage: last === "answer" ? USAGE : null });
  return aCompleted(index, { body, attempts, possiblyBilled });
}

/** Opens a run's books as `run` does. */
async function openBooks(directory: string): Promise<{
  budget: Budget;
  spending: Spending;
  ledger: Ledger;
  reported: () => Cost;
}> {
  const ledger = await Ledger.open(directory, RUN_ID, costOf);
  const usage = (): Parameters<typeof spentSoFar>[0] =>
    ledger.usage.report({ total: null, completed: 0, failed: 0, wallMs: 0 });
  const first = { run: RUN_ID, requests: 0, spent: {} };
  const log = BudgetLog.open(directory, RUN_ID, ledger.items, () => first);
  const limits = { usd: null, tokens: null, requests: null };
  const budget = new Budget(limits, spentSoFar(usage(), log.calls, usdOf));
  const clock = new FakeClock();
  const anyCall = { model: MODEL, tokens: [100, 20] } as const;
  const spending = new Spending({ budget, log, usdOf, clock, anyCall, onSpent: () => {} });
  const reported = (): Cost =>
    spentSoFar(usage(), readUnrecorded(directory, RUN_ID, ledger.items), usdOf);
  return { budget, spending, ledger, reported };
}

function rounded({ usd, tokens, requests }: Cost): Cost {
  return { usd: Math.round(usd * 1e6), tokens, requests };
}

/** Every answer is synced to a disk that others may keep busy. */
const TIMEOUT_MS = 30_000;

it(
  "the books say the same while a run goes on, at its end, and when it is opened again",
  async () => {
    await using workspace = await aWorkspace();
    const reply = fc.constantFrom<Reply[]>("answer", "no usage", "timeout", "error", "throttled");
    const item = fc.record({
      replies: fc.array(reply, { minLength: 1, maxLength: 4 }),
      /** Whether a worker made the calls, when the run had no budget. */
      elsewhere: fc.boolean(),
      /** How the process ends right after it, if it does. */
      ending: fc.constantFrom("go on", "go on", "close", "die"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 5 }), async (items) => {
        const directory = await mkdtemp(join(workspace.path, "run-"));
        let books = await openBooks(directory);
        for (const [index, { replies, elsewhere, ending }] of items.entries()) {
          const { spending, ledger } = books;
          if (elsewhere) {
            const answer = replies.findIndex((name) => name === "answer" || name === "no usage");
            const calls = answer === -1 ? replies : replies.slice(0, answer + 1);
            const outcome = outcomeOf(index, calls);
            spending.received(outcome);
            await ledger.record(outcome);
          }
          for (const [attempt, name] of elsewhere ? [] : replies.entries()) {
            const reserved = await spending.reserve(anItem(index), new AbortController().signal);
            reserved.sent();
            reserved.settle(classify(REPLIES[name], { onLength: "keep", now: 0 }));
            const isLast =
              attempt === replies.length - 1 || name === "answer" || name === "no usage";
            if (!isLast) continue;
            await ledger.record(outcomeOf(index, replies.slice(0, attempt + 1)));
            break;
          }
          const live = rounded(books.budget.spent);
          if (ending === "go on") continue;
          if (ending === "close") {
            books.spending.close();
            expect(rounded(books.reported())).toEqual(live);
          }
          await ledger.close();
          books = await openBooks(directory);
          const reopened = rounded(books.budget.spent);
          if (ending === "close") expect(reopened).toEqual(live);
          else {
            // Word of a last failure may not have been written: it is never too little.
            expect(reopened.usd).toBeGreaterThanOrEqual(live.usd);
            expect(reopened.tokens).toBeGreaterThanOrEqual(live.tokens);
          }
        }
        const live = rounded(books.budget.spent);
        books.spending.close();
        expect(rounded(books.reported())).toEqual(live);
        await books.ledger.close();
      }),
      { numRuns: 25 },
    );
  },
  TIMEOUT_MS,
);
