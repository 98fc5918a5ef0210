import { describe, expect, it } from "vitest";

import { RateFinder } from "../../../src/gateway/rate-finder.ts";

/** An account that lets `allowed` calls through in any `windowMs`, and a caller that keeps asking. */
class Scene {
  now = 0;
  allowed: number;
  readonly windowMs: number;
  readonly finder: RateFinder;
  /** What refusals say of the limit, per minute. */
  told: (() => number) | null = null;
  admitted: number[] = [];
  /** When bursts of refusals began. */
  readonly bursts: number[] = [];
  #noticedAt = -Infinity;
  #closedFor = 0;
  #untold = 0;
  #credit = 0;

  constructor(allowed: number, windowMs = 1_000, known: number | null = null) {
    this.allowed = allowed;
    this.windowMs = windowMs;
    this.finder = new RateFinder(0.96, known, null, 0);
  }

  /** Asks as often as the rate lets it, at most 400 times a second. */
  run(ms: number): void {
    const end = this.now + ms;
    for (; this.now < end; this.now += 1) {
      if (!this.#isClosed) this.finder.pressed(this.now);
      this.#credit = Math.min(
        2,
        this.#credit + Math.min(0.4, (this.finder.rate ?? Infinity) / 60_000),
      );
      if (this.#isClosed || this.#credit < 1) continue;
      this.#credit -= 1;
      this.#call();
    }
  }

  used(fromMs: number): number {
    const count = this.admitted.filter((at) => at >= fromMs).length;
    return count / ((this.allowed * (this.now - fromMs)) / this.windowMs);
  }

  get #isClosed(): boolean {
    return this.now > this.#noticedAt + 20 && this.now < this.#noticedAt + this.#closedFor;
  }

  #call(): void {
    this.finder.sent(this.now, 1);
    const within = this.admitted.filter((at) => at > this.now - this.windowMs).length;
    if (within < this.allowed) {
      this.admitted.push(this.now);
      this.#untold = 0;
      this.finder.letIn(this.now);
      return;
    }
    const isNews = this.now >= this.#noticedAt + this.#closedFor;
    this.finder.refused({
      now: this.now,
      sentAt: this.now,
      units: 1,
      told: this.told?.() ?? null,
      isNews,
    });
    if (!isNews) return;
    this.bursts.push(this.now);
    // The answer takes a moment: what is sent meanwhile is refused too.
    this.#noticedAt = this.now;
    this.#closedFor = Math.min(60_000, 2_000 * 2 ** this.#untold);
    this.#untold += 1;
  }
}

describe("the rate finder", () => {
  it("uses 96 % of a limit that the user names, and is never refused", () => {
    const scene = new Scene(100, 1_000, 6_000);
    scene.run(30_000);
    expect(scene.finder.rate).toBe(5_760);
    expect(scene.bursts).toEqual([]);
    expect(scene.finder.learned).toBeNull();
  });

  it("knows no rate until something is refused", () => {
    expect(new RateFinder(0.96, null, null, 0).rate).toBeNull();
  });

  it("takes what was let through in a second for the limit, and uses nearly all of it", () => {
    const scene = new Scene(100);
    scene.run(10_000);
    const before = scene.now;
    scene.run(4_000);
    expect(scene.bursts.length).toBeLessThanOrEqual(2);
    expect(scene.finder.learned).toBeGreaterThan(5_700);
    expect(scene.finder.learned).toBeLessThanOrEqual(6_060);
    expect(before).toBe(10_000);
  });

  it("takes the limit that the gateway names at its word", () => {
    const scene = new Scene(100);
    scene.told = () => 6_000;
    scene.run(3_000);
    expect([scene.finder.learned, scene.finder.rate, scene.bursts.length]).toEqual([
      6_000, 5_760, 1,
    ]);
  });

  it("uses at least 92 % of an unknown limit after 15 s", () => {
    const scene = new Scene(100);
    scene.run(46_000);
    expect(scene.used(15_000)).toBeGreaterThan(0.92);
    expect(scene.used(0)).toBeGreaterThan(0.8);
  });

  it("follows a limit that halves within a few seconds", () => {
    const scene = new Scene(100);
    scene.run(20_000);
    scene.allowed = 50;
    scene.run(10_000);
    const settled = scene.now;
    scene.run(10_000);
    expect(scene.used(settled)).toBeGreaterThan(0.75);
    expect(scene.finder.learned).toBeLessThanOrEqual(3_000);
  });

  it("finds a limit that has doubled within 40 s", () => {
    const scene = new Scene(50);
    scene.run(20_000);
    scene.allowed = 100;
    scene.run(40_000);
    expect(scene.finder.learned).toBeGreaterThan(5_400);
  });

  it("finds a limit over a whole minute by what was let through in that minute", () => {
    const scene = new Scene(600, 60_000);
    scene.run(180_000);
    expect(scene.finder.learned).toBeGreaterThan(500);
    expect(scene.finder.learned).toBeLessThanOrEqual(620);
    expect(scene.bursts.length).toBeLessThan(16);
  });

  it("goes below a limit that the user named too high", () => {
    const scene = new Scene(50, 1_000, 6_000);
    scene.run(10_000);
    expect(scene.finder.learned).toBeLessThanOrEqual(3_000);
  });

  it("never goes above what the user allows, however much the gateway would", () => {
    const scene = new Scene(1_000, 1_000, 600);
    scene.run(60_000);
    expect(scene.finder.rate).toBe(576);
  });

  it.each<[string, number, boolean]>([
    ["are known to use the other half leave the limit as it was", 6_000, true],
    ["are not known of leave this half of it", 3_000, false],
  ])("a single refusal while others that %s", (_who, limit, isKnown) => {
    const finder = new RateFinder(0.96, 6_000, null, 0);
    for (let now = 0; now < 10_000; now += 20) {
      finder.sent(now, 1);
      finder.letIn(now);
      if (isKnown && now % 60 === 0) finder.sentByOthers(now - 60, now, 3);
    }
    finder.sent(10_000, 1);
    finder.refused({ now: 10_005, sentAt: 10_000, units: 1, told: 6_000, isNews: true });
    expect(finder.learned).toBeGreaterThan(0.97 * limit);
    expect(finder.learned).toBeLessThanOrEqual(1.03 * limit);
  });

  it("does not repeat at once what another has tried in vain", () => {
    const triedAt = (adopted: readonly number[]): number => {
      const finder = new RateFinder(1, null, 6_000, 0);
      for (const rate of adopted) finder.adopt(rate, 1_000);
      finder.sent(0, 100);
      let now = 1_000;
      while ((finder.rate ?? 0) <= 6_000) finder.pressed((now += 1_000));
      return now;
    };
    expect([triedAt([6_000]), triedAt([6_300, 6_000])]).toEqual([9_000, 41_000]);
  });

  it.each([
    ["nothing beside them was let in", 0, true],
    ["others beside them were let in", 1, false],
  ])("takes two refusals for a limit where %s", (_what, letIn, isLimit) => {
    const finder = new RateFinder(0.96, null, null, 0);
    for (let now = 0; now < 500; now += 5) {
      finder.sent(now, 1);
      finder.letIn(now);
    }
    for (const isNews of [true, false]) {
      finder.sent(500, 1);
      finder.refused({ now: 510, sentAt: 500, units: 1, told: null, isNews });
    }
    for (let call = 0; call < letIn; call += 1) finder.letIn(505);
    finder.letIn(2_600);
    expect(finder.learned).toBe(isLimit ? 6_000 : null);
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
      else finder.refused({ now, sentAt, units: 1, told: null, isNews: true });
    }
    expect([finder.rate, explained.filter((is) => !is).length > 0]).toEqual([null, true]);
  });

  it("tries a little more later and later, as long as that is refused", () => {
    const scene = new Scene(100);
    scene.told = () => 6_000;
    scene.run(200_000);
    const pauses = scene.bursts.slice(1).map((at, index) => at - (scene.bursts[index] ?? 0));
    expect(pauses.map((ms) => Math.round(ms / 1_000))).toEqual([10, 42]);
  });

  it("begins with what an earlier run learned, and tries more after a while", () => {
    const finder = new RateFinder(0.96, null, 6_000, 0);
    expect(finder.rate).toBe(5_760);
    finder.pressed(7_999);
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
