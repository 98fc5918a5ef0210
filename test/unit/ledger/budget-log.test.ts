import { appendFileSync, writeFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { BudgetLog, readUnrecorded } from "../../../src/ledger/budget-log.ts";
import type { ItemState } from "../../../src/ledger/item-table.ts";
import type { CallLine } from "../../../src/ledger/unrecorded.ts";
import { RUN_ID, type RunDirectory, runDirectory } from "./run-directory.ts";

const MODEL = "gpt-4o-mini";
const FIRST: CallLine = { run: RUN_ID, requests: 0, spent: {} };

/** Items by index; all others are pending. */
function items(states: Record<number, ItemState> = {}): { state(index: number): ItemState } {
  return { state: (index) => states[index] ?? "pending" };
}

function openLog(
  { path }: RunDirectory,
  states: Record<number, ItemState> = {},
  first: CallLine = FIRST,
): BudgetLog {
  return BudgetLog.open(path, RUN_ID, items(states), () => first);
}

/** What is settled is written with the next call: this one may cost nothing. */
function sendAnother(log: BudgetLog): void {
  log.sent(99, MODEL, [0, 0]);
}

/** What a process finds that opens the directory after another died. */
function afterCrash(
  directory: RunDirectory,
  states: Record<number, ItemState> = {},
): { tokens: number; requests: number } {
  const { calls } = openLog(directory, states);
  return { tokens: calls.tokens, requests: calls.requests };
}

describe("after a crash", () => {
  it("a call in flight counts as the most that it may have cost", async () => {
    await using directory = await runDirectory();
    openLog(directory).sent(3, MODEL, [300, 50]);
    expect(afterCrash(directory)).toEqual({ tokens: 350, requests: 1 });
  });

  it("an answer that did not reach the ledger counts as what it cost", async () => {
    await using directory = await runDirectory();
    const log = openLog(directory);
    log.sent(3, MODEL, [300, 50]);
    log.settled({ index: 3, recorded: [40, 10] });
    sendAnother(log);
    expect(afterCrash(directory)).toEqual({ tokens: 50, requests: 2 });
  });

  it("an answer that did reach the ledger is told there", async () => {
    await using directory = await runDirectory();
    const log = openLog(directory);
    log.sent(3, MODEL, [300, 50]);
    log.settled({ index: 3, recorded: [40, 10] });
    log.sent(4, MODEL, [300, 50]);
    expect(afterCrash(directory, { 3: "completed", 4: "completed" })).toEqual({
      tokens: 0,
      requests: 2,
    });
  });

  it("what was in flight stays counted over any number of further crashes", async () => {
    await using directory = await runDirectory();
    for (const _ of [1, 2, 3]) openLog(directory).sent(3, MODEL, [300, 50]);
    expect(afterCrash(directory)).toEqual({ tokens: 1_050, requests: 3 });
  });

  it("an answer of which no word was written counts as a call in flight", async () => {
    await using directory = await runDirectory();
    const log = openLog(directory);
    log.sent(3, MODEL, [300, 50]);
    log.settled({ index: 3, recorded: [40, 10] });
    expect(afterCrash(directory)).toEqual({ tokens: 350, requests: 1 });
  });

  it("a torn last line is passed over", async () => {
    await using directory = await runDirectory();
    openLog(directory).sent(3, MODEL, [300, 50]);
    appendFileSync(directory.file("budget.jsonl"), '{"index":4,"mod');
    expect(afterCrash(directory)).toEqual({ tokens: 350, requests: 1 });
  });
});

describe("an answer without usage", () => {
  /** Calls that are priced here and not by the ledger, and their tokens. */
  function priced(directory: RunDirectory, state: ItemState): number[] {
    const { calls } = openLog(directory, { 3: state });
    return [calls.usd((_model, _prompt, _completion, n) => n), calls.tokens];
  }

  it.each<[ItemState, number]>([
    ["completed", 0],
    ["failed", 1],
    ["pending", 1],
  ])("keeps its tokens where its item is %s, and the price of %d call", async (state, calls) => {
    await using directory = await runDirectory();
    const log = openLog(directory);
    log.sent(3, MODEL, [300, 50]);
    log.settled({ index: 3, model: MODEL, kept: [300, 50], answered: true });
    // A crash right after it: results.jsonl has the answer, but no usage of it.
    expect(priced(directory, state)).toEqual([calls, 350]);
    // So do the lines that replace it.
    expect(priced(directory, state)).toEqual([calls, 350]);
  });

  it("that did not get to the ledger is a call like others when its item is asked again", async () => {
    await using directory = await runDirectory();
    const log = openLog(directory);
    for (const _ of [1, 2]) {
      log.sent(3, MODEL, [300, 50]);
      log.settled({ index: 3, model: MODEL, kept: [300, 50], answered: true });
    }
    expect(priced(directory, "completed")).toEqual([1, 700]);
  });
});

describe("an item that is answered", () => {
  it("tells what the prompts of its earlier calls used; of their answers nobody knows", async () => {
    await using directory = await runDirectory();
    const states: Record<number, ItemState> = {};
    openLog(directory).sent(3, MODEL, [300, 50]);
    const log = openLog(directory, states);
    log.sent(3, MODEL, [300, 50]);
    expect(log.settled({ index: 3, recorded: [40, 10] })).toBe(260);
    states[3] = "completed";
    log.close();
    expect(afterCrash(directory, states)).toEqual({ tokens: 90, requests: 2 });
  });
});

describe("a call", () => {
  it("that was refused costs nothing but counts as a request", async () => {
    await using directory = await runDirectory();
    const log = openLog(directory);
    log.sent(3, MODEL, [300, 50]);
    log.settled({ index: 3, model: MODEL, kept: [0, 0] });
    sendAnother(log);
    expect(afterCrash(directory)).toEqual({ tokens: 0, requests: 2 });
  });

  it("that was throttled does not count at all", async () => {
    await using directory = await runDirectory();
    const log = openLog(directory);
    log.sent(3, MODEL, [300, 50]);
    log.settled({ index: 3, throttled: true });
    sendAnother(log);
    expect(afterCrash(directory)).toEqual({ tokens: 0, requests: 1 });
  });

  it("that may have cost although no answer came stays counted when its item has failed", async () => {
    await using directory = await runDirectory();
    const log = openLog(directory);
    log.sent(3, MODEL, [300, 50]);
    log.settled({ index: 3, model: MODEL, kept: [300, 50] });
    log.close();
    expect(afterCrash(directory, { 3: "failed" })).toEqual({ tokens: 350, requests: 1 });
  });
});

describe("the file", () => {
  it("is one line when nothing is open, however many calls there were", async () => {
    await using directory = await runDirectory();
    const log = openLog(directory);
    for (let index = 0; index < 100; index += 1) {
      log.sent(index, MODEL, [300, 50]);
      log.settled({ index, model: MODEL, kept: index === 0 ? [300, 50] : [0, 0] });
    }
    log.close();
    openLog(directory, { 0: "failed" }).close();
    expect(await directory.text("budget.jsonl")).toBe(
      `{"run":"${RUN_ID}","requests":100,"spent":{"gpt-4o-mini":[300,50,1]}}\n`,
    );
  });

  it("stays small in a long run and loses nothing by that", async () => {
    await using directory = await runDirectory();
    const states: Record<number, ItemState> = {};
    const log = openLog(directory, states);
    log.sent(1_000_000, MODEL, [7, 7]);
    log.sent(1_000_001, MODEL, [7, 7]);
    log.settled({ index: 1_000_001, recorded: [2, 1] });
    for (let index = 0; index < 25_000; index += 1) {
      log.sent(index, MODEL, [300, 50]);
      log.settled({ index, recorded: [40, 10] });
      states[index] = "completed";
    }
    const lines = (await directory.text("budget.jsonl")).split("\n").length;
    expect(lines).toBeLessThan(20_100);
    expect(afterCrash(directory, states)).toEqual({ tokens: 17, requests: 25_002 });
  });

  it("begins with what the run cost before it had a budget", async () => {
    await using directory = await runDirectory();
    const first: CallLine = { run: RUN_ID, requests: 9, spent: { [MODEL]: [100, 20, 2] } };
    openLog(directory, {}, first).close();
    const { calls } = openLog(directory);
    const usd = calls.usd((model, prompt, completion, n) =>
      model === MODEL ? prompt + 10 * completion + 1_000 * n : NaN,
    );
    expect([calls.requests, calls.tokens, usd]).toEqual([9, 120, 2_300]);
  });

  it("of another run is not read", async () => {
    await using directory = await runDirectory();
    writeFileSync(directory.file("budget.jsonl"), '{"run":"other","requests":9,"spent":{}}\n');
    expect(readUnrecorded(directory.path, RUN_ID, items())).toBeNull();
    expect(afterCrash(directory)).toEqual({ tokens: 0, requests: 0 });
  });

  it("that cannot be written any more stops calls, but not what was settled", async () => {
    await using directory = await runDirectory();
    const log = openLog(directory);
    log.sent(3, MODEL, [300, 50]);
    log.close();
    expect(() => log.sent(4, MODEL, [300, 50])).toThrow(/budget\.jsonl cannot be written/);
    expect(log.settled({ index: 3, throttled: true })).toBe(0);
  });
});
