import { describe, expect, it } from "vitest";

import { RateFinder } from "../../../src/gateway/rate-finder.ts";
import { type AccountOptions, SimulatedAccount } from "../../fakes/simulated-account.ts";

const PER_SECOND = { calls: 100, windowMs: 1_000 };

function anAccount(options: AccountOptions): { account: SimulatedAccount; finder: RateFinder } {
  const account = new SimulatedAccount({ limit: PER_SECOND, ...options });
  return { account, finder: account.caller.limits.requests };
}

describe("the rate finder", () => {
  it("uses 96 % of a limit that the user names, and is never refused", () => {
    const { account, finder } = anAccount({ rpm: 6_000 });
    account.run(30_000);
    expect([finder.rate, account.refused, finder.learned]).toEqual([5_760, [], null]);
  });

  it("knows no rate until something is refused", () => {
    expect(new RateFinder(0.96, null, null, 0).rate).toBeNull();
  });

  it("takes the limit that the gateway names at its word", () => {
    const { account, finder } = anAccount({ told: 6_000 });
    account.run(3_000);
    expect([finder.learned, finder.rate, account.caller.bursts.length]).toEqual([6_000, 5_760, 1]);
  });

  it("uses a little less of one that it has measured: a refusal that names none costs more", () => {
    const { account, finder } = anAccount({});
    account.run(6_900);
    expect(finder.rate).toBeGreaterThan(0.93 * 6_000);
    expect(finder.rate).toBeLessThan(0.95 * 6_000);
  });

  it("follows a limit that halves, with few bursts of refusals", () => {
    const { account, finder } = anAccount({});
    account.run(20_000);
    const before = account.caller.bursts.length;
    account.limit = { calls: 50, windowMs: 1_000 };
    while ((finder.rate ?? 0) > 3_000 && account.now < 60_000) account.run(100);
    expect(account.caller.bursts.length - before).toBeLessThanOrEqual(5);
    expect(account.now).toBeLessThan(34_000);
    expect(finder.rate).toBeGreaterThan(2_700);
  });

  it("finds a limit that has doubled within 40 s", () => {
    const { account, finder } = anAccount({ limit: { calls: 50, windowMs: 1_000 } });
    account.run(20_000);
    account.limit = PER_SECOND;
    account.run(40_000);
    expect(finder.rate).toBeGreaterThan(5_400);
  });

  it("finds a limit over a whole minute by what was let through in that minute", () => {
    const { account, finder } = anAccount({ limit: { calls: 600, windowMs: 60_000 } });
    account.run(180_000);
    expect(finder.learned).toBeGreaterThan(590);
    expect(finder.learned).toBeLessThanOrEqual(610);
  });

  it("believes no limit over a minute where hardly anything was let in", () => {
    const { account, finder } = anAccount({ limit: { calls: 6, windowMs: 60_000 } });
    account.run(180_000);
    expect(finder.learned).toBeNull();
  });

  it("goes below a limit that the user named too high", () => {
    const { account, finder } = anAccount({ limit: { calls: 50, windowMs: 1_000 }, rpm: 6_000 });
    account.run(15_000);
    expect(finder.rate).toBeLessThanOrEqual(3_000);
  });

  it("never goes above what the user allows, however much the gateway would", () => {
    const { account, finder } = anAccount({ limit: null, rpm: 600 });
    account.run(60_000);
    expect(finder.rate).toBe(576);
  });

  it.each([
    ["are known to use the other half: the limit stays as it was", 6_000, true],
    ["nobody knows of, who use the other half: half of it is left", 3_000, false],
  ])("refusals that name the limit, with others that %s", (_who, limit, areKnown) => {
    const { account, finder } = anAccount({ limit: { calls: 50, windowMs: 1_000 }, told: 6_000 });
    for (let second = 0; second < 20; second += 1) {
      if (areKnown) finder.sentByOthers(account.now, account.now + 1_000, 50);
      account.run(1_000);
    }
    expect(finder.rate).toBeGreaterThan(0.9 * limit);
    expect(finder.rate).toBeLessThanOrEqual(1.05 * limit);
  });

  it("what a trial was refused far below the limit is no proof of the limit", () => {
    const finder = new RateFinder(0.96, null, 6_000, 0);
    for (let now = 0; now < 8_000; now += 10) {
      finder.sent(now, 1);
      finder.pressed(now);
    }
    expect(finder.rate).toBe(6_300);
    finder.sent(9_500, 1);
    finder.refused(refusal(9_510, 9_500));
    finder.sent(12_000, 1);
    finder.letIn(12_000);
    expect([finder.learned, finder.rate]).toEqual([null, 6_000 * 0.96 * 0.985]);
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
    expect([triedAt([6_000]), triedAt([6_300, 6_000])]).toEqual([8_000, 43_000]);
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
    const { account } = anAccount({ told: 6_000 });
    account.run(200_000);
    const { bursts } = account.caller;
    const pauses = bursts.slice(1).map((at, index) => at - (bursts[index] ?? 0));
    expect(pauses.map((ms) => Math.round(ms / 1_000))).toEqual([7, 42]);
  });

  it("names what an earlier run learned when a call is refused there again", () => {
    const learned = { rpm: 6_000, tpm: null, concurrency: null };
    const { account, finder } = anAccount({ learned });
    account.run(7_000);
    expect(finder.learned).toBeNull();
    account.run(5_000);
    expect(finder.learned).toBe(6_000);
  });

  it("begins with what an earlier run learned, and tries more after a while", () => {
    const finder = new RateFinder(0.96, null, 6_000, 0);
    expect(finder.rate).toBe(5_760);
    for (let now = 0; now < 7_000; now += 10) {
      finder.sent(now, 1);
      finder.pressed(now);
    }
    expect(finder.rate).toBe(5_760);
    finder.pressed(7_000);
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

function refusal(now: number, sentAt: number): Parameters<RateFinder["refused"]>[0] {
  return { now, sentAt, units: 1, sentAfter: 0, told: null, isNews: true };
}
