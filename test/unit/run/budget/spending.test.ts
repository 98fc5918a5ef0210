import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Reservation } from "../../../../src/gateway/attempt-budget.ts";
import { classify } from "../../../../src/gateway/classify.ts";
import type { Reply } from "../../../../src/gateway/reply.ts";
import type { Item } from "../../../../src/item.ts";
import { BudgetLog } from "../../../../src/ledger/budget-log.ts";
import type { ItemState } from "../../../../src/ledger/item-table.ts";
import { Budget, type Unit } from "../../../../src/run/budget/budget.ts";
import { Spending } from "../../../../src/run/budget/spending.ts";
import { worstCase } from "../../../../src/run/budget/worst-case.ts";
import { FakeClock, settle } from "../../../fakes/fake-clock.ts";
import { aCompletion, anError, aSilence } from "../../../fakes/fake-gateway.ts";
import { aCompleted, aFailed, aFiltered } from "../../ledger/run-directory.ts";
import { aWorkspace, type Workspace } from "../jobs.ts";

const ANSWER_TOKENS = 20;
const STOPPED = new Error("stop");

/** An item that may use exactly so many tokens, the last 20 of them for its answer. */
function anItem(index: number, worst = 200): Item {
  const body = (content: string): string =>
    JSON.stringify({ messages: [{ content }], max_tokens: ANSWER_TOKENS });
  const filler = worst - ANSWER_TOKENS - body("").length;
  return { index, customId: `r${index}`, model: "m", body: body("x".repeat(filler)) };
}

/** What outlives a process: the file, the ledger of outcomes, and the gateway's bill. */
interface World {
  readonly path: string;
  readonly states: Map<number, ItemState>;
  recorded: number;
}

function aWorld({ path }: Workspace): World {
  return { path, states: new Map(), recorded: 0 };
}

function openSpending(
  { path, states, recorded }: World,
  limits: { tokens?: number; requests?: number },
): {
  spending: Spending;
  budget: Budget;
  clock: FakeClock;
  spent: (readonly Unit[])[];
  /** Asks for an item's turn; the reservation appears here when it comes. */
  ask: (item: Item) => { granted?: Reservation; refused?: unknown };
  stop: () => void;
} {
  const clock = new FakeClock();
  const spent: (readonly Unit[])[] = [];
  const stopping = new AbortController();
  const items = { state: (index: number): ItemState => states.get(index) ?? "pending" };
  const log = BudgetLog.open(path, "run", items, () => ({ run: "run", requests: 0, spent: {} }));
  const budget = new Budget(
    { usd: null, tokens: limits.tokens ?? null, requests: limits.requests ?? null },
    { usd: 0, tokens: recorded + log.calls.tokens, requests: log.calls.requests },
  );
  const onSpent = (shortOf: readonly Unit[]): void => void spent.push(shortOf);
  const anyCall = { model: "m", tokens: [180, ANSWER_TOKENS] } as const;
  const spending = new Spending({ budget, log, usdOf: () => 0, clock, anyCall, onSpent });
  const ask = (item: Item): { granted?: Reservation; refused?: unknown } => {
    const came: { granted?: Reservation; refused?: unknown } = {};
    spending.reserve(item, stopping.signal).then(
      (granted) => (came.granted = granted),
      (error: unknown) => (came.refused = error),
    );
    return came;
  };
  return { spending, budget, clock, spent, ask, stop: () => stopping.abort(STOPPED) };
}

function verdictOf(reply: Reply): ReturnType<typeof classify> {
  return classify(reply, { onLength: "keep", now: 0 });
}

function answered(prompt: number, completion: number): ReturnType<typeof classify> {
  return verdictOf(aCompletion({ prompt_tokens: prompt, completion_tokens: completion }));
}

describe("an attempt", () => {
  it("waits until the answer of another gives back what it did not cost", async () => {
    await using workspace = await aWorkspace();
    const { ask } = openSpending(aWorld(workspace), { tokens: 300 });
    const [first, second] = [ask(anItem(0)), ask(anItem(1))];
    await settle();
    expect([first.granted !== undefined, second.granted]).toEqual([true, undefined]);
    first.granted?.sent();
    first.granted?.settle(answered(80, 20));
    await settle();
    expect(second.granted).toBeDefined();
  });

  it("that is smaller goes while a large one waits", async () => {
    await using workspace = await aWorkspace();
    const { ask } = openSpending(aWorld(workspace), { tokens: 500 });
    const [held, large, small] = [ask(anItem(0, 300)), ask(anItem(1, 400)), ask(anItem(2, 200))];
    await settle();
    expect([held, large, small].map(({ granted }) => granted !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("that was not sent after all gives everything back and leaves no trace", async () => {
    await using workspace = await aWorkspace();
    const world = aWorld(workspace);
    const { ask, budget } = openSpending(world, { tokens: 200 });
    const came = ask(anItem(0));
    await settle();
    came.granted?.cancel();
    expect([budget.open, budget.spent.tokens]).toEqual([0, 0]);
    expect(openSpending(world, { tokens: 200 }).budget.spent).toMatchObject({ requests: 0 });
  });

  it("that waits ends with the run's own reason", async () => {
    await using workspace = await aWorkspace();
    const { ask, stop, clock, spending } = openSpending(aWorld(workspace), { tokens: 100 });
    const waits = ask(anItem(0));
    stop();
    const late = ask(anItem(1, 90));
    await settle();
    spending.close();
    expect([waits.refused, late.refused, clock.pending]).toEqual([STOPPED, STOPPED, 0]);
  });

  it("that a dead process left behind stays set aside until its item is answered", async () => {
    await using workspace = await aWorkspace();
    const world = aWorld(workspace);
    (await turn(openSpending(world, { tokens: 500 }).ask(anItem(0)))).granted?.sent();
    const { ask, budget } = openSpending(world, { tokens: 500 });
    expect(budget.spent.tokens).toBe(200);
    const { granted } = await turn(ask(anItem(0)));
    granted?.sent();
    granted?.settle(answered(80, 10));
    // Its prompt is known now to use 80 tokens, its lost answer may have used 20.
    expect(budget.spent.tokens).toBe(90 + 100);
  });

  it("counts as a request unless it was throttled", async () => {
    await using workspace = await aWorkspace();
    const { ask, budget } = openSpending(aWorld(workspace), { requests: 2 });
    for (const reply of [anError(500, ""), anError(429, "rate_limit_exceeded"), aSilence("cut")]) {
      const { granted } = await turn(ask(anItem(0)));
      granted?.sent();
      granted?.settle(verdictOf(reply));
    }
    expect(budget.spent.requests).toBe(2);
  });

  it("sets aside what the gateway was seen to add out of sight", async () => {
    await using workspace = await aWorkspace();
    const { ask, budget } = openSpending(aWorld(workspace), { tokens: 10_000 });
    const first = [ask(anItem(0)), ask(anItem(1))];
    await settle();
    for (const { granted } of first) {
      granted?.sent();
      granted?.settle(answered(180 + 300, 20));
    }
    expect(budget.shortOf({ usd: 0, tokens: 9_001, requests: 0 })).toEqual(["tokens"]);
    ask(anItem(2));
    await settle();
    expect(budget.shortOf({ usd: 0, tokens: 8_501, requests: 0 })).toEqual(["tokens"]);
    expect(budget.shortOf({ usd: 0, tokens: 8_500, requests: 0 })).toEqual([]);
  });
});

describe("calls that a worker elsewhere has made", () => {
  it("count like all others, and are in the books before their answer is recorded", async () => {
    await using workspace = await aWorkspace();
    const world = aWorld(workspace);
    const { spending, budget, ask, spent, clock } = openSpending(world, { requests: 5 });
    // One was charged for all that is known, one for nothing, and one was answered.
    spending.received(aCompleted(0, { attempts: 3, possiblyBilled: 1 }));
    spending.received(aFailed(1, { attempts: 2 }));
    expect(budget.spent).toEqual({ usd: 0, tokens: 210, requests: 5 });
    ask(anItem(2));
    await clock.advance(1_000);
    expect(spent).toEqual([["requests"]]);

    world.states.set(0, "completed").set(1, "failed");
    world.recorded = 10;
    expect(openSpending(world, { requests: 5 }).budget.spent).toEqual(budget.spent);
  });

  it("count for what they used, where the answer was withheld", async () => {
    await using workspace = await aWorkspace();
    const world = aWorld(workspace);
    const { spending, budget } = openSpending(world, { tokens: 100 });
    spending.received(aFiltered(0));
    expect(budget.spent).toEqual({ usd: 0, tokens: 10, requests: 1 });
    world.states.set(0, "failed");
    expect(openSpending(world, { tokens: 100 }).budget.spent).toEqual(budget.spent);
  });
});

describe("what the gateway was seen to add", () => {
  it("is set aside for what is in flight, too", async () => {
    await using workspace = await aWorkspace();
    const world = aWorld(workspace);
    const { ask, budget } = openSpending(world, { tokens: 1_000 });
    const [first, second] = [ask(anItem(0)), ask(anItem(1))];
    await settle();
    first.granted?.sent();
    first.granted?.settle(answered(180 + 300, 20));
    // 500 used, and 200 + 300 of the other: not a token is left.
    expect(budget.shortOf({ usd: 0, tokens: 1, requests: 0 })).toEqual(["tokens"]);
    second.granted?.sent();
    expect(openSpending(world, { tokens: 1_000 }).budget.spent.tokens).toBe(1_000);
    second.granted?.settle(answered(100, 20));
    expect(budget.shortOf({ usd: 0, tokens: 380, requests: 0 })).toEqual([]);
    expect(budget.shortOf({ usd: 0, tokens: 381, requests: 0 })).toEqual(["tokens"]);
  });

  it("is set aside for what waits", async () => {
    await using workspace = await aWorkspace();
    const { ask, spent, clock } = openSpending(aWorld(workspace), { tokens: 900 });
    const first = await turn(ask(anItem(0, 800)));
    const second = ask(anItem(1, 200));
    first.granted?.sent();
    first.granted?.settle(answered(780 - 380, 20 + 300));
    await settle();
    expect(second.granted).toBeUndefined();
    await clock.advance(1_000);
    expect(spent).toEqual([["tokens"]]);
  });
});

async function turn<T>(came: T): Promise<T> {
  await settle();
  return came;
}

describe("the run ends", () => {
  it("when for a second nothing was in flight and nothing fitted", async () => {
    await using workspace = await aWorkspace();
    const { ask, spent, clock } = openSpending(aWorld(workspace), { tokens: 300 });
    const first = await turn(ask(anItem(0)));
    ask(anItem(1));
    await clock.advance(60_000);
    expect(spent).toEqual([]);
    first.granted?.sent();
    first.granted?.settle(answered(170, 20));
    await clock.advance(999);
    expect(spent).toEqual([]);
    await clock.advance(1);
    expect(spent).toEqual([["tokens"]]);
  });

  it("not when a smaller item comes in time", async () => {
    await using workspace = await aWorkspace();
    const { ask, spent, clock } = openSpending(aWorld(workspace), { tokens: 100 });
    ask(anItem(0, 200));
    await clock.advance(500);
    const small = await turn(ask(anItem(1, 100)));
    await clock.advance(60_000);
    expect([small.granted !== undefined, spent, clock.pending]).toEqual([true, [], 0]);
  });
});

it("never crosses a limit by the gateway's bill, whatever answers come in whatever order, through crashes", async () => {
  await using workspace = await aWorkspace();
  const step = fc.record({
    act: fc.oneof(
      { weight: 6, arbitrary: fc.constant("ask") },
      { weight: 4, arbitrary: fc.constant("answer") },
      { weight: 2, arbitrary: fc.constant("record") },
      { weight: 1, arbitrary: fc.constant("crash") },
    ),
    which: fc.nat(1_000),
    size: fc.integer({ min: 80, max: 300 }),
    outcome: fc.constantFrom("answer", "answer", "no usage", "timeout", "error", "throttled"),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 300, max: 3_000 }),
      fc.array(step, { minLength: 20, maxLength: 120 }),
      async (limit, steps) => {
        const path = await mkdtemp(join(workspace.path, "run-"));
        const world: World = { path, states: new Map(), recorded: 0 };
        let billed = 0;
        let { ask, spending } = openSpending(world, { tokens: limit });
        interface Flight {
          readonly item: Item;
          readonly granted: Reservation;
        }
        let asked: { item: Item; came: { granted?: Reservation } }[] = [];
        let inFlight: Flight[] = [];
        let unrecorded: { index: number; tokens: number }[] = [];
        const sizes = new Map<number, number>();
        let next = 0;
        const busy = (index: number): boolean =>
          [...asked, ...inFlight].some(({ item }) => item.index === index) ||
          unrecorded.some((done) => done.index === index);

        for (const { act, which, size, outcome, share } of steps) {
          if (act === "ask") {
            // An item that is still pending, or else another.
            const pending = [...sizes.keys()].filter(
              (index) => !world.states.has(index) && !busy(index),
            );
            const index = pending[which % (pending.length + 1)] ?? next++;
            sizes.set(index, sizes.get(index) ?? size);
            const item = anItem(index, sizes.get(index));
            asked.push({ item, came: ask(item) });
          } else if (act === "answer" && inFlight.length > 0) {
            const [flight] = inFlight.splice(which % inFlight.length, 1);
            if (flight === undefined) continue;
            const { item, granted } = flight;
            const worst = worstCase(item.body);
            // The same body has the same prompt each time.
            const prompt = Math.floor(worst.prompt * 0.4);
            const completion = Math.floor((worst.completion ?? 0) * share);
            if (outcome !== "error" && outcome !== "throttled") billed += prompt + completion;
            if (outcome === "answer") {
              granted.settle(answered(prompt, completion));
              unrecorded.push({ index: item.index, tokens: prompt + completion });
            } else if (outcome === "no usage") {
              granted.settle(verdictOf(aCompletion({})));
              unrecorded.push({ index: item.index, tokens: 0 });
            } else if (outcome === "timeout") granted.settle(verdictOf(aSilence("timeout")));
            else if (outcome === "error") granted.settle(verdictOf(anError(500, "")));
            else granted.settle(verdictOf(anError(429, "rate_limit_exceeded")));
          } else if (act === "record") {
            for (const { index, tokens } of unrecorded) {
              world.states.set(index, "completed");
              world.recorded += tokens;
            }
            unrecorded = [];
          } else if (act === "crash") {
            // The gateway goes on and bills what was in flight.
            for (const { item } of inFlight) {
              const { prompt, completion } = worstCase(item.body);
              billed += Math.floor(prompt * 0.4) + Math.floor((completion ?? 0) * share);
            }
            [asked, inFlight, unrecorded] = [[], [], []];
            ({ ask, spending } = openSpending(world, { tokens: limit }));
          }
          await settle();
          for (const { item, came } of asked) {
            if (came.granted === undefined) continue;
            came.granted.sent();
            inFlight.push({ item, granted: came.granted });
          }
          asked = asked.filter(({ came }) => came.granted === undefined);
          expect(billed).toBeLessThanOrEqual(limit);
        }
        spending.close();
      },
    ),
    { numRuns: 40 },
  );
});
