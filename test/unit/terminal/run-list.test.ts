import { describe, expect, it } from "vitest";

import { renderRunList } from "../../../src/terminal/run-list.ts";
import { aStatus, aUsage, PLAIN, someItems } from "./views.ts";

describe("the list of runs", () => {
  it("is a table with a line for each run", () => {
    const runs = [
      aStatus({
        state: "running",
        usage: aUsage({ items: someItems({ total: 20_000, completed: 9_988, failed: 12 }) }),
      }),
      aStatus({ directory: "/else/评论", usage: aUsage({ cost_usd: null }) }),
      aStatus({
        state: "paused",
        usage: aUsage({ items: someItems({ total: null, completed: 3 }), cost_usd: 12.3 }),
      }),
    ];
    expect(renderRunList(runs, PLAIN)).toBe(
      `
RUN DIRECTORY                  STATE              DONE  FAILED     COST  STARTED               UPDATED
runs/reviews-20260102T020000Z  running   10,000/20,000      12  $0.0123  2026-01-02 02:00 UTC  2026-01-02 02:05 UTC
/else/评论                     finished    1,000/1,000       0  unknown  2026-01-02 02:00 UTC  2026-01-02 02:05 UTC
runs/reviews-20260102T020000Z  paused              3/?       0   $12.30  2026-01-02 02:00 UTC  2026-01-02 02:05 UTC`.trim(),
    );
  });

  it.each([
    [110, "STATE DONE FAILED COST UPDATED"],
    [80, "STATE DONE FAILED COST"],
    [66, "STATE DONE FAILED"],
    [60, "STATE DONE"],
  ])("leaves out what matters least, rather than wrap, at %i columns", (columns, kept) => {
    const usage = aUsage({ items: someItems({ total: 20_000, completed: 9_988, failed: 12 }) });
    const [head = "", ...rows] = renderRunList([aStatus({ usage })], { ...PLAIN, columns }).split(
      "\n",
    );
    expect(head.split(/ {2,}/)).toEqual(["RUN DIRECTORY", ...kept.split(" ")]);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.length).toBeLessThanOrEqual(columns);
  });

  it("is whole where it cannot fit, but for what can be spared", () => {
    const list = renderRunList([aStatus()], { ...PLAIN, columns: 20 });
    expect(list).toMatch(
      /^RUN DIRECTORY +STATE +DONE\nruns\/reviews-20260102T020000Z  finished  1,000\/1,000$/,
    );
  });

  it("shows failures in red", () => {
    const run = aStatus({ usage: aUsage({ items: someItems({ failed: 7 }) }) });
    expect(renderRunList([run], { ...PLAIN, color: true })).toContain("\u001B[31m7\u001B[39m");
  });
});
