import { describe, expect, it } from "vitest";

import type { Burst } from "../../../src/gateway/burst.ts";
import type { Pace } from "../../../src/gateway/pace.ts";
import { type Finding, Suspicion } from "../../../src/gateway/suspicion.ts";

interface Seen {
  /** Calls that were let in within the second before. */
  readonly units?: number;
  /** The most that were let in within an earlier second. */
  readonly earlier?: number;
  /** Calls that were sent from the first refusal until it was known, and how many were refused. */
  readonly calls?: number;
  readonly refused?: number;
  readonly inARow?: number;
  readonly kept?: number | null;
}

/** What is found after each of some bursts, with 100 calls let in before each. */
function findings(...bursts: readonly Seen[]): (Finding | null)[] {
  const suspicion = new Suspicion();
  return bursts.map(({ units = 100, earlier = 0, calls = 1, refused = 1, ...seen }) => {
    for (let call = 0; call < 100; call += 1) suspicion.letIn();
    const pace: Pace = { units, perMinute: units * 60, earlier };
    const burst: Burst = {
      at: 0,
      since: 0,
      units: 1,
      calls,
      refused,
      told: null,
      inARow: seen.inARow ?? 1,
      refusedBefore: 0,
      minuteBefore: null,
    };
    return suspicion.weigh(burst, { pace, kept: seen.kept ?? null });
  });
}

function rates(...bursts: readonly Seen[]): (number | null)[] {
  return findings(...bursts).map((finding) => finding?.perMinute ?? null);
}

describe("a limit is suspected", () => {
  it("by the second refusal after the same amount, while none is known", () => {
    expect(rates({}, { units: 99 })).toEqual([null, 5_940]);
  });

  it("by one burst, where five calls in a row are refused", () => {
    expect(rates({ calls: 5, refused: 5 })).toEqual([6_000]);
  });

  it("later where another one is known, which may be right all the same", () => {
    const [first, second, third, fourth] = rates(
      { units: 50, kept: 5_760 },
      { units: 50, kept: 5_760 },
      { units: 50, kept: 5_760 },
      { units: 50, kept: 5_760 },
    );
    expect([first, second, fourth]).toEqual([null, null, 3_000]);
    expect([null, 3_000]).toContain(third);
  });

  it.each([
    ["another amount was let in", [{}, { units: 60 }]],
    ["the same amount had been let in before without a refusal", [{}, { earlier: 100 }]],
    ["calls beside the refused ones were let in", [{ calls: 5 }, { calls: 5 }]],
    ["few calls came before: that may be chance", [{ units: 8 }, { units: 8 }]],
    ["not even a pause has helped", [{}, { inARow: 2 }]],
  ])("not where %s", (_why, bursts) => {
    expect(rates(...bursts)).toEqual([null, null]);
  });

  it("and is sure only after more than one burst, however many calls that one refused", () => {
    const burst = { calls: 20, refused: 20 };
    expect(findings(burst, burst).map((finding) => finding?.isSure)).toEqual([false, true]);
  });

  it("and confirmed by a trial that is refused at the same amount", () => {
    const trial = { units: 99, earlier: 96, kept: 5_760 };
    const [first, second] = findings({ calls: 5, refused: 5 }, trial);
    expect([first?.isSure, second?.isSure]).toEqual([false, true]);
  });
});
