import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Governor, type GovernorOptions, type Permit } from "../../../src/gateway/governor.ts";
import type { Verdict } from "../../../src/gateway/verdict.ts";
import { seededRandom } from "../../../src/system/random.ts";
import { FakeClock, settle } from "../../fakes/fake-clock.ts";

const NEVER = new AbortController().signal;
const RESPONSE = { status: 200, requestId: null, body: "{}" };
const FAILURE = { code: "code", message: "what it said", response: null };
const COMPLETED: Verdict = {
  class: "completed",
  summary: { model: "m", finishReason: "stop", usage: null },
  response: RESPONSE,
};
const DOWN: Verdict = { class: "retry", failure: FAILURE, possiblyBilled: false, outage: true };
const ODD: Verdict = { class: "retry", failure: FAILURE, possiblyBilled: true, outage: false };
const OVERLOADED: Verdict = {
  class: "throttled",
  failure: { ...FAILURE, response: { ...RESPONSE, status: 503 } },
  waitMs: 3_000,
  limit: "overload",
  requestsPerMinute: null,
  tokensPerMinute: null,
};
const BAD_ITEM: Verdict = { class: "fail-item", failure: FAILURE };
const REFUSED: Verdict = { class: "pause-run", trouble: "balance", failure: FAILURE };

function throttled(waitMs: number | null): Verdict {
  return {
    class: "throttled",
    failure: FAILURE,
    waitMs,
    limit: "unknown",
    requestsPerMinute: null,
    tokensPerMinute: null,
  };
}

function aGovernor(options: Partial<GovernorOptions> = {}): {
  clock: FakeClock;
  governor: Governor;
  enter: (tokens?: number, signal?: AbortSignal) => Permit[];
} {
  const clock = new FakeClock();
  const governor = new Governor({
    concurrency: 4,
    rpm: null,
    tpm: null,
    clock,
    random: () => 0,
    ...options,
  });
  /** The permit, once it is there. */
  const enter = (tokens = 1, signal = NEVER): Permit[] => {
    const got: Permit[] = [];
    governor
      .enter(() => tokens, signal)
      .then(
        (permit) => got.push(permit),
        () => {},
      );
    return got;
  };
  return { clock, governor, enter };
}

async function call(governor: Governor, verdict: Verdict): Promise<void> {
  const permit = await governor.enter(() => 1, NEVER);
  permit.report(verdict, null);
  permit.free();
}

/** Moves time on until the permit is there; bottleneck keeps a time of its own beside it. */
async function inTime(clock: FakeClock, entering: Promise<Permit>, tick = 25): Promise<Permit> {
  const got: Permit[] = [];
  void entering.then((permit) => got.push(permit));
  for (;;) {
    const [permit] = got;
    if (permit !== undefined) return permit;
    await clock.advance(tick);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function tenFailures(governor: Governor): Promise<void> {
  for (let failure = 0; failure < 10; failure += 1) await call(governor, DOWN);
}

describe("the governor", () => {
  it("lets as many calls go at once as were allowed", async () => {
    const { governor, enter } = aGovernor({ concurrency: 2 });
    const permits = [enter(), enter(), enter()];
    await settle();
    expect(permits.map((got) => got.length)).toEqual([1, 1, 0]);
    expect(governor.inFlight).toBe(2);
  });

  it("holds the slot of a call that has reported until it is freed", async () => {
    const { enter } = aGovernor({ concurrency: 1 });
    const [first, second] = [enter(), enter()];
    await settle();
    first[0]?.report(COMPLETED, null);
    await settle();
    expect(second).toEqual([]);
    first[0]?.free();
    await settle();
    expect(second).toHaveLength(1);
  });

  it("sends nothing while it is throttled, and says until when", async () => {
    const { clock, governor, enter } = aGovernor();
    await call(governor, throttled(5_000));
    const got = enter();
    expect(governor.holdup).toEqual({ kind: "throttled", untilMs: clock.now() + 5_000 });
    await clock.advance(4_999);
    expect(got).toEqual([]);
    await clock.advance(1);
    expect(got).toHaveLength(1);
  });

  it("holds back a call that waited for its slot while the gate closed", async () => {
    const { clock, enter } = aGovernor({ concurrency: 1 });
    const [first, second] = [enter(), enter()];
    await settle();
    first[0]?.report(throttled(5_000), null);
    first[0]?.free();
    await clock.advance(4_999);
    expect(second).toEqual([]);
    await clock.advance(1);
    expect(second).toHaveLength(1);
  });

  it("sends half as many at once after an overload, counted once a burst", async () => {
    const { clock, governor, enter } = aGovernor({ concurrency: 8 });
    const burst = Array.from({ length: 8 }, () => enter());
    await clock.advance(10);
    for (const [permit] of burst) {
      permit?.report({ ...OVERLOADED, waitMs: 1_000 }, null);
      permit?.free();
    }
    for (let caller = 0; caller < 8; caller += 1) enter();
    await clock.advance(3_000);
    expect(governor.inFlight).toBe(4);
  });

  it("waits 2 s again after a completed answer, and longer after any other", async () => {
    const pauseAfter = async (verdict: Verdict): Promise<number> => {
      const { clock, governor } = aGovernor();
      await call(governor, throttled(null));
      await clock.advance(2_001);
      await call(governor, verdict);
      await call(governor, throttled(null));
      return governor.holdup.kind === "throttled" ? governor.holdup.untilMs - clock.now() : 0;
    };
    expect(await pauseAfter(COMPLETED)).toBe(2_000);
    expect(await pauseAfter(BAD_ITEM)).toBe(4_000);
  });

  it("sends one probe at a time in an outage, and says how long it has lasted", async () => {
    const { clock, governor, enter } = aGovernor();
    await tenFailures(governor);
    const permits = [enter(), enter(), enter()];
    await clock.advance(3_000);
    expect(permits.map((got) => got.length)).toEqual([1, 0, 0]);
    expect(governor.holdup).toEqual({ kind: "outage", forMs: 3_000, message: "what it said" });
  });

  it("holds back a call that waited for its slot while the outage began", async () => {
    const { clock, governor, enter } = aGovernor({ concurrency: 1 });
    const [first, second] = [enter(), enter()];
    await settle();
    for (let failure = 0; failure < 10; failure += 1) first[0]?.report(DOWN, null);
    first[0]?.free();
    await clock.advance(999);
    expect([second, governor.inFlight]).toEqual([[], 0]);
    await clock.advance(1);
    expect(second).toHaveLength(1);
  });

  it.each([
    ["a completed answer", COMPLETED],
    ["a bad item", BAD_ITEM],
    ["a 200 without an answer", ODD],
    ["a 429", throttled(0)],
  ])("ends the outage with %s", async (_name, verdict) => {
    const { clock, governor } = aGovernor();
    await tenFailures(governor);
    await clock.advance(1_000);
    await call(governor, verdict);
    expect(governor.holdup.kind).not.toBe("outage");
  });

  it("takes a 503 for no sign of life, but lets another probe follow when its wait is over", async () => {
    const { clock, governor, enter } = aGovernor();
    await tenFailures(governor);
    await clock.advance(1_000);
    await call(governor, OVERLOADED);
    expect(governor.holdup).toMatchObject({ kind: "outage", forMs: 1_000 });
    const permits = [enter(), enter()];
    await clock.advance(3_000);
    expect(permits.map((got) => got.length)).toEqual([1, 0]);
  });

  it("lets one call at a time go after a refusal that blames the account, until one completes", async () => {
    const { governor, enter } = aGovernor();
    await call(governor, REFUSED);
    const [first, second] = [enter(), enter()];
    await settle();
    expect([first.length, second.length]).toEqual([1, 0]);
    first[0]?.report(REFUSED, null);
    first[0]?.free();
    await settle();
    expect(second).toHaveLength(1);
    const [third, fourth] = [enter(), enter()];
    second[0]?.report(COMPLETED, null);
    await settle();
    expect([third.length, fourth.length]).toEqual([1, 1]);
  });

  it("knows for how long the gateway has only failed or refused for load", async () => {
    const { clock, governor } = aGovernor();
    await call(governor, throttled(0));
    await clock.advance(60_000);
    await call(governor, OVERLOADED);
    expect(governor.awayMs).toBe(60_000);
    await clock.advance(3_000);
    await call(governor, COMPLETED);
    expect(governor.awayMs).toBeNull();
  });

  it("lets the next probe go when one is aborted in its call", async () => {
    const { clock, governor, enter } = aGovernor();
    await tenFailures(governor);
    const [first, second] = [enter(), enter()];
    await clock.advance(1_000);
    first[0]?.report(null, null);
    first[0]?.free();
    await settle();
    expect(second).toHaveLength(1);
  });

  it("lets the next probe go when one is aborted while it waits for its slot", async () => {
    const { clock, governor, enter } = aGovernor({ concurrency: 1 });
    const holder = enter();
    await settle();
    for (let failure = 0; failure < 10; failure += 1) holder[0]?.report(DOWN, null);
    const stop = new AbortController();
    enter(1, stop.signal);
    const next = enter();
    await clock.advance(1_000);
    stop.abort(new Error("the run ends"));
    holder[0]?.free();
    await settle();
    expect([next.length, governor.inFlight]).toEqual([1, 1]);
  });

  it("frees the slot of a call that is aborted while it waits for the account's rate", async () => {
    const { governor, enter } = aGovernor({ rpm: 1 });
    await governor.enter(() => 1, NEVER);
    const stop = new AbortController();
    enter(1, stop.signal);
    await settle();
    expect([governor.holdup, governor.inFlight]).toEqual([{ kind: "rpm", perMinute: 0.96 }, 1]);
    stop.abort(new Error("the run ends"));
    await settle();
    expect([governor.holdup, governor.inFlight]).toEqual([{ kind: "nothing" }, 1]);
    await governor.close();
  });

  it("makes no call whose slot came free in the moment in which the run ended", async () => {
    const { governor, enter } = aGovernor({ concurrency: 1 });
    const holder = await governor.enter(() => 1, NEVER);
    const stop = new AbortController();
    const got = enter(1, stop.signal);
    await settle();
    holder.free();
    stop.abort(new Error("the run ends"));
    await settle();
    expect([got.length, governor.inFlight]).toEqual([0, 0]);
  });

  it("gives tokens back that a call did not use", async () => {
    const { clock, governor } = aGovernor({ tpm: 60_000 });
    const permit = await inTime(
      clock,
      governor.enter(() => 500, NEVER),
    );
    permit.report(COMPLETED, 100);
    const next = await inTime(
      clock,
      governor.enter(() => 400, NEVER),
      0,
    );
    await governor.close();
    expect([governor.countsTokens, next.sentAt]).toEqual([true, clock.monotonic()]);
  });

  it("keeps the tokens of a call that may have used them all", async () => {
    const { clock, governor, enter } = aGovernor({ tpm: 60_000 });
    const permit = await inTime(
      clock,
      governor.enter(() => 500, NEVER),
    );
    permit.report(ODD, null);
    const got = enter(400);
    await settle();
    expect([governor.holdup, got.length]).toEqual([{ kind: "tpm", perMinute: 56_100 }, 0]);
    await governor.close();
  });

  it("takes a minute's tokens for a call that is larger than that", async () => {
    const { clock, governor } = aGovernor({ tpm: 60 });
    const began = clock.monotonic();
    const { sentAt } = await inTime(
      clock,
      governor.enter(() => 100_000, NEVER),
      1_100,
    );
    await governor.close();
    expect(Math.abs(sentAt - began - 60_000)).toBeLessThan(30_000);
  });

  it("ends with the signal's reason", async () => {
    const { governor } = aGovernor({ concurrency: 1 });
    await governor.enter(() => 1, NEVER);
    const stop = new AbortController();
    const reason = new Error("the run ends");
    const waiting = expect(governor.enter(() => 1, stop.signal)).rejects.toBe(reason);
    stop.abort(reason);
    await waiting;
    expect(governor.inFlight).toBe(1);
  });
});

type Step =
  | { readonly does: "come" }
  | { readonly does: "end"; readonly who: number; readonly with: Verdict | null }
  | { readonly does: "stop"; readonly who: number }
  | { readonly does: "wait"; readonly ms: number };

const ending = fc.constantFrom(COMPLETED, DOWN, DOWN, DOWN, ODD, BAD_ITEM, OVERLOADED, null);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Step>({ does: "come" }) },
  {
    weight: 5,
    arbitrary: fc.record({
      does: fc.constant("end" as const),
      who: fc.nat(),
      with: fc.oneof(ending, fc.nat(30_000).map(throttled)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("stop" as const), who: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("wait" as const), ms: fc.nat(60_000) }) },
);

describe("what the user allows, when that changes in mid-run", () => {
  it("holds from then on, and no longer than somebody says so", async () => {
    const { governor, clock, enter } = aGovernor({ concurrency: 100 });
    const free = [enter(), enter(), enter()];
    await settle();
    expect(free.flat()).toHaveLength(3);
    governor.allow({ rpm: 1, tpm: null });
    enter();
    const waiting = enter();
    await clock.advance(1_000);
    expect([waiting.length, governor.holdup]).toEqual([0, { kind: "rpm", perMinute: 0.96 }]);
    expect(governor.countsTokens).toBe(false);
    governor.allow({ rpm: null, tpm: 1_000 });
    expect(governor.countsTokens).toBe(true);
    await governor.close();
  });
});

describe("the governor, whatever happens", () => {
  it("never sends more than it may, and in the end lets everybody go", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat(), async (steps, seed) => {
        const { clock, governor } = aGovernor({ concurrency: 3, random: seededRandom(seed) });
        const waiting = new Map<number, AbortController>();
        const calling: Permit[] = [];
        let callers = 0;
        const come = (): void => {
          const name = callers++;
          const stop = new AbortController();
          waiting.set(name, stop);
          governor
            .enter(() => 1, stop.signal)
            .then(
              (permit) => {
                waiting.delete(name);
                expect(governor.holdup.kind).not.toBe("throttled");
                calling.push(permit);
              },
              () => waiting.delete(name),
            );
        };
        for (const step of steps) {
          if (step.does === "come") come();
          else if (step.does === "wait") await clock.advance(step.ms);
          else if (step.does === "stop") [...waiting.values()][step.who]?.abort(new Error("stop"));
          else {
            const [permit] = calling.splice(step.who % Math.max(1, calling.length), 1);
            permit?.report(step.with, null);
            permit?.free();
          }
          await settle();
          expect(governor.inFlight).toBeLessThanOrEqual(3);
          expect(calling.length).toBeLessThanOrEqual(governor.inFlight);
        }
        for (let turn = 0; turn <= callers && waiting.size > 0; turn += 1) {
          for (const permit of calling.splice(0)) {
            permit.report(COMPLETED, null);
            permit.free();
          }
          await clock.advance(62_000);
        }
        for (const permit of calling.splice(0)) permit.free();
        expect([waiting.size, governor.inFlight, clock.pending]).toEqual([0, 0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});
