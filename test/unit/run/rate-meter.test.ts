import { describe, expect, it } from "vitest";

import { RateMeter } from "../../../src/run/rate-meter.ts";

describe("the rate meter", () => {
  it("knows no rate before there are two notes", () => {
    const meter = new RateMeter();
    expect(meter.rates).toEqual({ items: 0, tokens: 0 });
    meter.note(1_000, 5, 50);
    expect(meter.rates).toEqual({ items: 0, tokens: 0 });
  });

  it("knows no rate from two notes of one moment", () => {
    const meter = new RateMeter();
    meter.note(1_000, 5, 50);
    meter.note(1_000, 9, 90);
    expect(meter.rates).toEqual({ items: 0, tokens: 0 });
  });

  it("tells what was added per second", () => {
    const meter = new RateMeter();
    meter.note(1_000, 5, 50);
    meter.note(3_000, 9, 250);
    expect(meter.rates).toEqual({ items: 2, tokens: 100 });
  });

  it("looks at the last fifteen seconds only", () => {
    const meter = new RateMeter();
    for (let second = 0; second <= 60; second += 1) {
      meter.note(second * 1_000, Math.min(second, 40) * 10, 0);
    }
    expect(meter.rates.items).toBe(0);
    meter.note(61_000, 415, 0);
    expect(meter.rates.items).toBe(1);
  });

  it("falls to nothing when nothing is added any more", () => {
    const meter = new RateMeter();
    meter.note(0, 0, 0);
    meter.note(1_000, 100, 0);
    for (let second = 2; second <= 16; second += 1) meter.note(second * 1_000, 100, 0);
    expect(meter.rates.items).toBe(0);
  });
});
