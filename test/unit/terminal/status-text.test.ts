import { describe, expect, it } from "vitest";

import { renderStatus, type StatusView } from "../../../src/terminal/status-text.ts";
import { aStatus, aUsage, PLAIN, someItems } from "./views.ts";

function status(changes: Partial<StatusView> = {}): string {
  return renderStatus(aStatus(changes), PLAIN);
}

const HALF = aUsage({ items: someItems({ completed: 500, pending: 500 }), items_per_second: 5 });

const FILTERED = {
  cause: "content_filter",
  class: "item",
  count: 10,
  example: { custom_id: "review-17", message: "The prompt was\n\u001B[2Jfiltered." },
  advice: "Change these records, or try another model.",
  retry: "nightshift retry runs/reviews-20260102T020000Z --where code=content_filter",
};

describe("the status of a run", () => {
  it("tells what it is, where it stands and what it used", () => {
    expect(status()).toBe(
      `
✔ finished: 1,000 of 1,000 items done (100%)

  directory   runs/reviews-20260102T020000Z
  run         reviews-20260102T020000Z-ab12
  job         nightly-reviews
  input       jobs/reviews.csv
  model       gpt-4o-mini
  started     2026-01-02 02:00 UTC
  updated     2026-01-02 02:05 UTC

  items       1,000 completed
  tokens      1,200,000 prompt + 300,000 completion = 1,500,000 total
  cost        $0.0123 by list prices (genai-prices)
  calls       1,000 attempts
  latency     p50 850 ms, p95 2.3 s
  time        5m 02s, 3.3 items/s`.trim(),
    );
  });

  it("says how much of the input a trial is about", () => {
    expect(status({ records: 12_000 })).toContain(
      "\n\n  trial       the first 1,000 of the input's 12,000 records\n  items  ",
    );
  });

  it("says who works on it and when that should end", () => {
    const text = status({
      state: "running",
      in_use_by: { host: "box", pid: 4242 },
      usage: HALF,
    });
    expect(text).toMatch(/^▶ running: 500 of 1,000 items done \(50%\)\n\n/);
    expect(text).toContain(
      "in use by   process 4242 on box\n  ETA         1m 40s at the rate so far\n",
    );
  });

  it("tells no end of a run that nobody works on", () => {
    expect(status({ state: "paused", usage: HALF })).not.toContain("ETA");
  });

  it("tells only how to resume a run that is held, while its process waits for that", () => {
    const reason = {
      message: "paused with `nightshift pause reviews-1`",
      remedy: "`nightshift resume reviews-1` lets it go on.",
    };
    const held = status({ state: "paused", reason, in_use_by: { host: "box", pid: 4242 } });
    expect(held).toContain("  `nightshift resume reviews-1` lets it go on.\n");
    expect(held).not.toContain("same command");
    expect(status({ state: "paused", reason })).toContain(
      "lets it go on. Run the same command again: it goes on where it stopped.",
    );
  });

  it("says how to go on when the process is gone", () => {
    expect(status({ state: "interrupted", usage: HALF })).toMatch(
      /^⏸ interrupted: .*\n {2}Its process is gone\. Run the same command again: it goes on where it stopped\.\n/,
    );
  });

  it("says that a retry goes on as a retry, when no item is pending", () => {
    const usage = aUsage({ items: someItems({ completed: 990, failed: 10 }) });
    expect(status({ state: "interrupted", usage })).toContain(
      "\n  After a retry that is `nightshift retry`: `nightshift run` does not ask failed items again.\n",
    );
  });

  it("says why it is paused and what to do", () => {
    const reason = { message: "the balance is used up", remedy: "Top up the account." };
    expect(status({ state: "paused", reason, usage: HALF })).toMatch(
      /^⏸ paused: .*\n {2}the balance is used up\n {2}Top up the account\. Run the same command again/,
    );
  });

  it("counts without a share while the number of items is not known", () => {
    const items = someItems({ total: null, pending: null, completed: 500 });
    expect(status({ state: "running", usage: aUsage({ items }) })).toMatch(
      /^▶ running: 500 items done\n/,
    );
  });

  it("groups failures by cause, each with an example, advice and a command", () => {
    expect(status({ errors: [FILTERED] })).toContain(`

content_filter: 10 items, refused for good
  example     review-17: The prompt was filtered.
  advice      Change these records, or try another model.
  try again   nightshift retry runs/reviews-20260102T020000Z --where code=content_filter`);
  });

  it("does not call a cut answer refused", () => {
    expect(status({ errors: [{ ...FILTERED, cause: "truncated" }] })).toContain(
      "\ntruncated: 10 items, cut at max_tokens\n",
    );
  });

  it("shows only the beginning of an error page", () => {
    const example = { custom_id: "review-17", message: "x".repeat(5_000) };
    const line = status({ errors: [{ ...FILTERED, example }] })
      .split("\n")
      .find((text) => text.includes("review-17"));
    expect(line).toHaveLength(214);
  });
});
