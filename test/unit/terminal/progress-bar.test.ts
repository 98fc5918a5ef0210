import { stripVTControlCharacters } from "node:util";

import { describe, expect, it } from "vitest";

import {
  type ProgressView,
  renderProgress,
  renderProgressLine,
} from "../../../src/terminal/progress-bar.ts";
import { widthOf } from "../../../src/terminal/screen-text.ts";
import { aProgress } from "./views.ts";

const OUTAGE = "gateway away for 95 s: 余额不足 connect ECONNREFUSED 🚀 请稍后再试";

function draw(changes: Partial<ProgressView> = {}, width = 100): string {
  return renderProgress(aProgress(changes), { width, color: false }).join("\n");
}

describe("the live picture", () => {
  it("shows the bar, what is done, and how fast at 100 columns", () => {
    expect(draw()).toBe(
      `
━━━━━━━━━━━━━━━━━━━━╸───────────────────  52%  5,214/10,000  12 failed  14 retried
ETA 3m 12s · 123.4 items/s · 45.1K tokens/s · $1.23 · 5m 02s elapsed · 64 in flight`.trim(),
    );
  });

  it("keeps the most wanted figures at 40 columns", () => {
    expect(draw({ waiting: OUTAGE }, 40)).toBe(
      `
━━━━━─────  52%  5,214/10,000  12 failed
ETA 3m 12s · 123.4 items/s · $1.23
↳ gateway away for 95 s: 余额不足 conne…`.trim(),
    );
  });

  it("is no wider at 200 columns than can be taken in at a glance", () => {
    expect(draw({}, 200)).toBe(draw({}, 100));
  });

  it("leaves the bar out where there is no room for it", () => {
    expect(draw({ failed: 0 }, 24)).toMatch(/^52% {2}5,202\/10,000\n/);
  });

  it("stays within the columns, however few they are", () => {
    const progress = aProgress({ waiting: OUTAGE });
    const tooWide = Array.from({ length: 120 }, (_, at) => at + 1).filter((width) =>
      [true, false].some((unicode) =>
        renderProgress(progress, { width, color: true, unicode }).some(
          (line) => widthOf(stripVTControlCharacters(line)) > width,
        ),
      ),
    );
    expect(tooWide).toEqual([]);
  });

  it("draws in ASCII where there is no Unicode", () => {
    const lines = renderProgress(aProgress({ waiting: "Redis does not answer" }), {
      width: 100,
      color: false,
      unicode: false,
    });
    expect(lines.join("")).toMatch(/^[\u0020-\u007E]+$/);
  });

  it("says what holds the run back in a line of its own", () => {
    expect(draw({ waiting: "throttled until 02:13:05" }).split("\n")[2]).toBe(
      "↳ throttled until 02:13:05",
    );
  });

  it("lets nothing in what it waits for steer the terminal", () => {
    expect(draw({ waiting: "gateway away:\u001B[2J\u0007\nbad" })).toContain("↳ gateway away: bad");
  });

  it("is not at 100% before the last item", () => {
    expect(draw({ completed: 9_999, failed: 0 })).toContain("99%");
  });

  it("fills the bar at the end", () => {
    expect(draw({ completed: 10_000, failed: 0, retries: 0, eta_seconds: 0 })).toMatch(
      /^━{40} {2}100% {2}10,000\/10,000\n123/,
    );
  });

  it("counts without a bar while the number of items is not known", () => {
    expect(draw({ total: 0, failed: 0, retries: 0, eta_seconds: 0 })).toMatch(/^5,202 done\n123/);
  });

  it("admits that it cannot tell the end without a rate", () => {
    expect(draw({ eta_seconds: null })).toContain("ETA ?");
  });

  it("says nothing about a cost that is not known", () => {
    expect(draw({ cost_usd: null })).not.toContain("$");
  });

  it("counts the items of a retry, where all those of the run have ended before", () => {
    const run = { total: 10_000, completed: 9_970, failed: 30 };
    const retrying = { total: 40, completed: 8, failed: 2 };
    expect(draw({ ...run, retrying })).toMatch(
      /^━{10}─{30} {2}25% {2}10\/40 asked again {2}2 failed {2}14 retried\nETA 3m 12s/,
    );
  });

  it("is at the beginning of a retry before its first item has ended", () => {
    const retrying = { total: 1, completed: 0, failed: 0 };
    expect(draw({ total: 20, completed: 19, failed: 1, retrying })).toContain("0/1 asked again");
  });

  it("shows failed items in red", () => {
    const [line] = renderProgress(aProgress(), { width: 100, color: true });
    expect(line).toContain("\u001B[31m12 failed\u001B[39m");
  });

  it("says nothing about failures while there are none", () => {
    expect(draw({ failed: 0 })).not.toContain("failed");
  });
});

describe("the plain line", () => {
  it("tells everything in one line", () => {
    expect(renderProgressLine(aProgress({ waiting: "throttled until 02:13:05" }))).toBe(
      "5,214/10,000 (52%), 12 failed, 14 retried, ETA 3m 12s, 123.4 items/s, 45.1K tokens/s, " +
        "$1.23, 5m 02s elapsed, 64 in flight; throttled until 02:13:05",
    );
  });

  it("counts the items of a retry", () => {
    const retrying = { total: 40, completed: 8, failed: 2 };
    expect(renderProgressLine(aProgress({ retrying }))).toMatch(
      /^10\/40 asked again \(25%\), 2 failed, 14 retried, ETA/,
    );
  });
});
