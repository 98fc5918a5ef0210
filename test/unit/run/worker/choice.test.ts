import { describe, expect, test } from "vitest";

import type { KnownRun, RunTerms } from "../../../../src/queue/run-info.ts";
import { chooseRun, pausedAmong, strictest } from "../../../../src/run/worker/choice.ts";
import { matchesPattern } from "../../../../src/run/worker/pattern.ts";

const TASTE = { baseUrl: "https://gateway.test/v1", pattern: "*" };

function terms(changes: Partial<RunTerms> = {}): RunTerms {
  return {
    version: 1,
    job: "reviews",
    base_url: TASTE.baseUrl,
    models: ["gpt-4o-mini"],
    attempts: 6,
    timeout_ms: 60_000,
    max_outage_ms: 1,
    stream: false,
    on_length: "keep",
    rpm: null,
    tpm: null,
    budget: false,
    proven: false,
    sitting: "1",
    host: "here",
    pid: 1,
    ...changes,
  };
}

function run(changes: Partial<KnownRun> = {}): KnownRun {
  return {
    runId: "reviews-1",
    terms: terms(),
    state: "running",
    counts: null,
    hasOwner: true,
    ...changes,
  };
}

describe("a worker", () => {
  test("serves a run that asks its own address, with an owner or without", () => {
    expect(chooseRun(run(), TASTE)).toEqual({ kind: "serve", terms: terms() });
    expect(chooseRun(run({ hasOwner: false }), TASTE).kind).toBe("serve");
  });

  test.each(["paused", "cancelled", "stopped", "ended"] as const)(
    "rests while a run is %s, whatever else is said of it",
    (state) => {
      expect(chooseRun(run({ state }), TASTE)).toEqual({ kind: "rest" });
      expect(chooseRun(run({ state, terms: null }), TASTE)).toEqual({ kind: "rest" });
    },
  );

  test("refuses another address, so that no run can direct its key there", () => {
    const base_url = "https://elsewhere.test/v1";
    expect(chooseRun(run({ terms: terms({ base_url }) }), TASTE)).toEqual({
      kind: "refuse",
      why: expect.stringContaining("asks https://elsewhere.test/v1") as string,
    });
  });

  test("refuses a budget, which it could not keep", () => {
    expect(chooseRun(run({ terms: terms({ budget: true }) }), TASTE)).toMatchObject({
      kind: "refuse",
      why: expect.stringContaining("budget") as string,
    });
  });

  test("refuses what another version wrote, and says so", () => {
    expect(chooseRun(run({ terms: null }), TASTE)).toMatchObject({
      kind: "refuse",
      why: expect.stringContaining("another version") as string,
    });
  });

  test("serves only runs whose id matches", () => {
    expect(chooseRun(run(), { ...TASTE, pattern: "nightly-*" })).toEqual({ kind: "rest" });
    expect(chooseRun(run(), { ...TASTE, pattern: "reviews-*" }).kind).toBe("serve");
  });
});

test.each([
  ["*", "anything", true],
  ["a*c", "abc", true],
  ["a*c", "abcd", false],
  ["a?c", "abc", true],
  ["a?c", "ac", false],
  ["a.c", "abc", false],
  ["[ab]", "a", false],
  ["[ab]", "[ab]", true],
])("the pattern %j and %j: %j", (pattern, name, matches) => {
  expect(matchesPattern(pattern, name)).toBe(matches);
});

test("the strictest limits of all runs hold, each by itself", () => {
  expect(strictest([])).toEqual({ rpm: null, tpm: null });
  expect(
    strictest([
      { rpm: 100, tpm: null },
      { rpm: 50, tpm: 9_000 },
      { rpm: null, tpm: 10_000 },
    ]),
  ).toEqual({ rpm: 50, tpm: 9_000 });
});

test("a worker names the paused runs that it would serve, and how they go on", () => {
  const runs = [
    run({ runId: "a", state: "paused" }),
    run({ runId: "b" }),
    run({ runId: "c", state: "paused", terms: terms({ budget: true }) }),
  ];
  expect(pausedAmong(runs, TASTE)).toEqual([
    "run a is paused: `nightshift resume a` lets it go on",
  ]);
  expect(pausedAmong(runs, { ...TASTE, pattern: "b*" })).toEqual([]);
});
