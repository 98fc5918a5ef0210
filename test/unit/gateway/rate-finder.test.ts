import { describe, expect, it } from "vitest";

import { RateFinder } from "../../../src/gateway/rate-finder.ts";
import { LimitedAccount } from "../../fakes/limited-account.ts";

describe("the rate finder", () => {
  it("uses 96 % of a limit that the user names, and is never refused", () => {
    const scene = new LimitedAccount(100, 1_000, { known: 6_000 });
    scene.run(30_000);
    expect(scene.finder.rate).toBe(5_760);
    expect(scene.bursts).toEqual([]);
    expect(scene.finder.learned).toBeNull();
  });

  it("knows no rate until something is refused", () => {
    expect(new RateFinder(0.96, null, null, 0).rate).toBeNull();
  });

  it("takes what was let through in a second for the limit, and uses nearly all of it", () => {
    const scene = new LimitedAccount(100);
    scene.run(10_000);
    const before = scene.now;
    scene.run(4_000);
    expect(scene.bursts.length).toBeLessThanOrEqual(3);
    expect(scene.finder.learned).toBeGreaterThan(5_700);
    expect(scene.finder.learned).toBeLessThanOrEqual(6_060);
    expect(before).toBe(10_000);
  });

  it("takes the limit that the gateway names at its word", () => {
    const scene = new LimitedAccount(100, 1_000, { told: () => 6_000 });
    scene.run(3_000);
    expect([scene.finder.learned, scene.finder.rate, scene.bursts.length]).toEqual([
      6_000, 5_760, 1,
    ]);
  });

  it("uses at least 92 % of an unknown limit after 15 s", () => {
    const scene = new LimitedAccount(100);
    scene.run(46_000);
    expect(scene.used(15_000)).toBeGreaterThan(0.92);
    expect(scene.used(0)).toBeGreaterThan(0.8);
  });

  it("follows a limit that halves within a few seconds", () => {
    const scene = new LimitedAccount(100);
    scene.run(20_000);
    scene.allowed = 50;
    scene.run(10_000);
    const settled = scene.now;
    scene.run(10_000);
    expect(scene.used(settled)).toBeGreaterThan(0.75);
    expect(scene.finder.learned).toBeLessThanOrEqual(3_000);
  });

  it("finds a limit that has doubled within 40 s", () => {
    const scene = new LimitedAccount(50);
    scene.run(20_000);
    scene.allowed = 100;
    scene.run(40_000);
    expect(scene.finder.learned).toBeGreaterThan(5_400);
  });

  it("finds a limit over a whole minute by what was let through in that minute", () => {
    const scene = new LimitedAccount(600, 60_000);
    scene.run(180_000);
    expect(scene.finder.learned).toBeGreaterThan(500);
    expect(scene.finder.learned).toBeLessThanOrEqual(620);
    expect(scene.bursts.length).toBeLessThan(16);
  });

  it("goes below a limit that the user named too high", () => {
    const scene = new LimitedAccount(50, 1_000, { known: 6_000 });
    scene.run(10_000);
    expect(scene.finder.learned).toBeLessThanOrEqual(3_000);
  });

  it("never goes above what the user allows, however much the gateway would", () => {
    const scene = new LimitedAccount(1_000, 1_000, { known: 600 });
    scene.run(60_000);
    expect(scene.finder.rate).toBe(576);
  });

  it.each([
    ["are known to use the other half: the limit stays as it was", 6_000, true],
    ["nobody knows of, who use the other half: half of it is left", 3_000, false],
  ])("refusals that name the limit, with others that %s", (_who, limit, areKnown) => {
    const account = new LimitedAccount(50, 1_000, { told: () => 6_000 });
    for (let second = 0; second < 20; second += 1) {
      if (areKnown) account.finder.sentByOthers(account.now, account.now + 1_000, 50);
      account.run(1_000);
    }
    expect(account.finder.learned).toBeGreaterThan(0.95 * limit);
    expect(account.finder.learned).toBeLessThanOrEqual(1.05 * limit);
  });

  it("does not repeat at once what another has tried in vain", () => {
    const triedAt = (adopted: readonly number[]): number => {
      const finder = new RateFinder(1, null, 6_000, 0);
      for (const rate of adopted) finder.adopt(rate, 1_000);
      for (let now = 1_000; now < 60_000; now += 1_000) {
        if ((finder.rate ?? 0) > 6_000) return now - 1_000;
        finder.sent(now, 100);
        finder.pressed(now);
      }
      return 0;
    };
    expect([triedAt([6_000]), triedAt([6_300, 6_000])]).toEqual([9_000, 41_000]);
  });

  it.each([
    ["the same was let in before, and nothing beside them", 100, 1, 6_000],
    ["the same was let in before, and most of what was sent with them", 100, 9, null],
    ["less was let in before", 80, 1, null],
  ])("takes two bursts of refusals for a limit where %s", (_what, before, sentAfter, limit) => {
    const finder = new RateFinder(0.96, null, null, 0);
    const burst = (at: number, units: number): void => {
      for (let call = 0; call < units; call += 1) finder.sent(at, 1);
      for (const isNews of [true, false]) {
        finder.sent(at, 1);
        finder.refused({ now: at + 10, sentAt: at, units: 1, sentAfter, told: null, isNews });
      }
      finder.letIn(at + 100);
    };
    burst(500, before);
    expect(finder.learned).toBeNull();
    burst(2_500, 100);
    expect(finder.learned).toBe(limit);
  });

  it("learns nothing from single refusals among many answers", () => {
    const finder = new RateFinder(0.96, null, null, 0);
    const explained: boolean[] = [];
    for (let now = 0; now < 60_000; now += 5) {
      finder.sent(now, 1);
      // Each answer takes 50 ms.
      const sentAt = now - 50;
      if (sentAt < 0) continue;
      if (sentAt % 3_735 !== 0) explained.push(finder.letIn(sentAt));
      else finder.refused({ now, sentAt, units: 1, sentAfter: 0, told: null, isNews: true });
    }
    expect([finder.rate, explained.filter((is) => !is).length > 0]).toEqual([null, true]);
  });

  it("tries a little more later and later, as long as that is refused", () => {
    const scene = new LimitedAccount(100, 1_000, { told: () => 6_000 });
    scene.run(200_000);
    const pauses = scene.bursts.slice(1).map((at, index) => at - (scene.bursts[index] ?? 0));
    expect(pauses.map((ms) => Math.round(ms / 1_000))).toEqual([8, 40]);
  });

  it("begins with what an earlier run learned, and tries more after a while", () => {
    const finder = new RateFinder(0.96, null, 6_000, 0);
    expect(finder.rate).toBe(5_760);
    for (let now = 0; now < 8_000; now += 10) {
      finder.sent(now, 1);
      finder.pressed(now);
    }
    expect(finder.rate).toBe(5_760);
    finder.pressed(8_000);
    expect(finder.rate).toBe(6_300);
  });
});

describe("what the user allows, when that changes in mid-run", () => {
  it("is used at once, and nothing above it is tried", () => {
    const finder = new RateFinder(0.96, null, null, 0);
    finder.allow(600, 0);
    expect([finder.rate, finder.most, finder.learned]).toEqual([576, 576, null]);
    for (let now = 0; now <= 120_000; now += 100) {
      finder.sent(now, 1);
      finder.pressed(now);
    }
    expect(finder.rate).toBe(576);
  });

  it("goes down with a stricter run, and up again when that run has ended", () => {
    const finder = new RateFinder(0.96, 600, null, 0);
    finder.allow(60, 1_000);
    expect(finder.rate).toBeCloseTo(57.6);
    finder.allow(600, 2_000);
    expect(finder.rate).toBeCloseTo(576);
  });

  it("leaves a lower limit as it is that the account has shown", () => {
    const finder = new RateFinder(1, null, 300, 0);
    finder.allow(600, 0);
    expect(finder.rate).toBe(300);
    finder.allow(120, 0);
    expect(finder.rate).toBe(120);
  });

  it("is where the search goes on when nobody says any more", () => {
    const finder = new RateFinder(1, 600, null, 0);
    finder.allow(null, 0);
    expect([finder.rate, finder.most]).toEqual([600, null]);
    for (let now = 0; now <= 20_000; now += 100) {
      finder.sent(now, 1);
      finder.pressed(now);
    }
    expect(finder.rate).toBeGreaterThan(600);
  });
});
