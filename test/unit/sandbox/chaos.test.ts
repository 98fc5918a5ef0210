import { describe, expect, it } from "vitest";

import { chaosDrawer, parseChaos } from "../../../src/sandbox/chaos.ts";

describe("parseChaos", () => {
  it("reads shares by fault", () => {
    expect(parseChaos("429=0.05, 500=.02,timeout=0.01")).toEqual({
      "429": 0.05,
      "500": 0.02,
      timeout: 0.01,
    });
  });

  it("takes any status from 400 to 599", () => {
    expect(parseChaos("418=1")).toEqual({ "418": 1 });
  });

  it.each([
    ["429", "`429`"],
    ["500=0.1,429:0.5", "`429:0.5`"],
    ["timout=0.1", "`timout`"],
    ["200=0.1", "`200`"],
    ["429=1.5", "`429=1.5`"],
    ["429=0.7,500=0.7", "adds up to 1.4"],
  ])("names the bad part of %s", (text, part) => {
    expect(() => parseChaos(text)).toThrow(part);
  });

  it("accepts shares that add up to one", () => {
    expect(() => parseChaos("429=0.1,500=0.2,502=0.3,503=0.4")).not.toThrow();
  });
});

describe("chaosDrawer", () => {
  const draw = chaosDrawer({ "429": 0.25, F5: 0.25 });

  it("gives each fault its share", () => {
    expect([0, 0.249, 0.25, 0.499].map((at) => draw(at)?.name)).toEqual(["429", "429", "F5", "F5"]);
  });

  it("leaves the rest alone", () => {
    expect(draw(0.5)).toBeUndefined();
  });
});
