import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { backoffMs } from "../../../src/gateway/backoff.ts";

describe("the backoff", () => {
  it.each([
    [0, 1_000],
    [1, 2_000],
    [2, 4_000],
    [5, 32_000],
    [6, 60_000],
    [5_000, 60_000],
  ])("after %i pauses is at most %i ms", (pauses, most) => {
    expect(backoffMs(pauses, () => 1)).toBe(most);
  });

  it("has full jitter: any share of the most, down to nothing", () => {
    fc.assert(
      fc.property(fc.nat(100), fc.double({ min: 0, max: 1, noNaN: true }), (pauses, share) => {
        expect(backoffMs(pauses, () => share)).toBe(share * backoffMs(pauses, () => 1));
      }),
    );
  });

  it("takes a count below zero as none", () => {
    expect(backoffMs(-1, () => 1)).toBe(1_000);
  });
});
