import { getEventListeners } from "node:events";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Breaker, type Probe } from "../../../src/gateway/breaker.ts";
import { FakeClock, settle } from "../../fakes/fake-clock.ts";

const NEVER = new AbortController().signal;

function aBreaker(): { clock: FakeClock; breaker: Breaker } {
  const clock = new FakeClock();
  return { clock, breaker: new Breaker(clock) };
}

function anOpenBreaker(): { clock: FakeClock; breaker: Breaker } {
  const parts = aBreaker();
  for (let failure = 0; failure < 10; failure += 1) parts.breaker.failed("HTTP 502", null);
  return parts;
}

/** Callers by name, in the order in which they may call. */
function line(breaker: Breaker): {
  came: (name: string, signal?: AbortSignal) => void;
  went: { name: string; probe: Probe }[];
} {
  const went: { name: string; probe: Probe }[] = [];
  const came = (name: string, signal = NEVER): void => {
    breaker.pass(signal).then(
      (probe) => went.push({ name, probe }),
      () => {},
    );
  };
  return { came, went };
}

function names(went: readonly { readonly name: string }[]): string {
  return went.map(({ name }) => name).join(" ");
}

describe("the breaker", () => {
  it("opens after ten failures in a row", () => {
    const { breaker } = aBreaker();
    for (let failure = 0; failure < 9; failure += 1) breaker.failed("HTTP 502", null);
    expect(breaker.outageMs).toBeNull();
    breaker.failed("HTTP 503", null);
    expect([breaker.outageMs, breaker.lastMessage]).toEqual([0, "HTTP 503"]);
  });

  it("counts anew after any answer", () => {
    const { breaker } = aBreaker();
    for (let failure = 0; failure < 9; failure += 1) breaker.failed("HTTP 502", null);
    breaker.answered();
    for (let failure = 0; failure < 9; failure += 1) breaker.failed("HTTP 502", null);
    expect(breaker.outageMs).toBeNull();
  });

  it("holds nobody while it is closed", async () => {
    const { breaker } = aBreaker();
    await expect(breaker.pass(NEVER)).resolves.toBeNull();
  });

  it("tells how long the outage has lasted", async () => {
    const { clock, breaker } = anOpenBreaker();
    await clock.advance(90_000);
    expect(breaker.outageMs).toBe(90_000);
  });

  it("sends one probe at a time", async () => {
    const { clock, breaker } = anOpenBreaker();
    const { came, went } = line(breaker);
    for (const name of ["a", "b", "c"]) came(name);
    await clock.advance(600_000);
    expect(names(went)).toBe("a");
  });

  it("sends another waiter as each probe, in the order of their coming", async () => {
    const { clock, breaker } = anOpenBreaker();
    const { came, went } = line(breaker);
    for (const name of ["a", "b", "c"]) came(name);
    for (let probe = 0; probe < 3; probe += 1) {
      await clock.advance(60_000);
      const last = went.at(-1);
      breaker.failed("HTTP 502", last?.probe ?? null);
      came(`${last?.name} again`);
    }
    await clock.advance(60_000);
    expect(names(went)).toBe("a b c a again");
  });

  it("lets no newcomer probe before those who wait", async () => {
    const { clock, breaker } = anOpenBreaker();
    const { came, went } = line(breaker);
    for (const name of ["a", "b"]) came(name);
    await clock.advance(1_000);
    breaker.gaveUp(went[0]?.probe ?? null);
    came("newcomer");
    await settle();
    expect(names(went)).toBe("a b");
  });

  it("waits a fifth of the outage between probes, 1 s at least and 60 s at most", async () => {
    const { clock, breaker } = anOpenBreaker();
    const pauses: [outageMs: number, pauseMs: number][] = [];
    let failedAt = 0;
    while ((breaker.outageMs ?? 0) < 400_000) {
      const { came, went } = line(breaker);
      came("probe");
      while (went.length === 0) await clock.advance(100);
      pauses.push([failedAt, (breaker.outageMs ?? 0) - failedAt]);
      failedAt = breaker.outageMs ?? 0;
      breaker.failed("HTTP 502", went[0]?.probe ?? null);
    }
    for (const [outage, pause] of pauses) {
      const exact = Math.min(60_000, Math.max(1_000, outage / 5));
      expect(pause).toBeGreaterThanOrEqual(exact);
      expect(pause).toBeLessThanOrEqual(exact + 100);
    }
    expect(pauses.at(-1)?.[1]).toBe(60_000);
  });

  it("lets everybody go in order when a probe is answered", async () => {
    const { clock, breaker } = anOpenBreaker();
    const { came, went } = line(breaker);
    for (const name of ["a", "b", "c"]) came(name);
    await clock.advance(1_000);
    breaker.answered();
    await settle();
    expect(names(went)).toBe("a b c");
    expect([breaker.outageMs, went[1]?.probe]).toEqual([null, null]);
  });

  it("frees the place of a probe that was aborted at once", async () => {
    const { clock, breaker } = anOpenBreaker();
    const { came, went } = line(breaker);
    for (const name of ["a", "b"]) came(name);
    await clock.advance(1_000);
    breaker.gaveUp(went[0]?.probe ?? null);
    await settle();
    expect(names(went)).toBe("a b");
  });

  it("does not take the end of a call from before the outage for the probe's", async () => {
    const { clock, breaker } = anOpenBreaker();
    const { came, went } = line(breaker);
    for (const name of ["a", "b"]) came(name);
    await clock.advance(1_000);
    breaker.failed("HTTP 502", null);
    breaker.gaveUp(null);
    await clock.advance(600_000);
    expect(names(went)).toBe("a");
  });

  it("does not take the end of an earlier outage's probe for the present one's", async () => {
    const { clock, breaker } = anOpenBreaker();
    await clock.advance(1_000);
    const earlier = await breaker.pass(NEVER);
    breaker.answered();
    for (let failure = 0; failure < 10; failure += 1) breaker.failed("HTTP 502", null);
    const { came, went } = line(breaker);
    for (const name of ["a", "b"]) came(name);
    await clock.advance(1_000);
    breaker.failed("HTTP 502", earlier);
    await clock.advance(600_000);
    expect(names(went)).toBe("a");
  });

  it("does not wait for the end of an earlier outage's probe", async () => {
    const { clock, breaker } = anOpenBreaker();
    await clock.advance(1_000);
    await breaker.pass(NEVER);
    breaker.answered();
    for (let failure = 0; failure < 10; failure += 1) breaker.failed("HTTP 502", null);
    const { came, went } = line(breaker);
    came("a");
    await clock.advance(1_000);
    expect(names(went)).toBe("a");
  });

  it("admits the present probe only, once it has opened", async () => {
    const { clock, breaker } = aBreaker();
    const before = await breaker.pass(NEVER);
    expect(breaker.admits(before)).toBe(true);
    for (let failure = 0; failure < 10; failure += 1) breaker.failed("HTTP 502", null);
    await clock.advance(1_000);
    const probe = await breaker.pass(NEVER);
    expect([breaker.admits(before), breaker.admits(probe)]).toEqual([false, true]);
    breaker.failed("HTTP 502", probe);
    expect(breaker.admits(probe)).toBe(false);
  });

  it("goes on with the next when one who waits is stopped", async () => {
    const { clock, breaker } = anOpenBreaker();
    const { came, went } = line(breaker);
    const stop = new AbortController();
    came("a", stop.signal);
    came("b");
    await settle();
    stop.abort();
    await clock.advance(1_000);
    expect(names(went)).toBe("b");
  });

  it("leaves no timer and no listener when waiting is aborted", async () => {
    const { clock, breaker } = anOpenBreaker();
    const stop = new AbortController();
    const reason = new Error("the run ends");
    const passing = expect(breaker.pass(stop.signal)).rejects.toBe(reason);
    await settle();
    stop.abort(reason);
    await passing;
    expect([clock.pending, getEventListeners(stop.signal, "abort")]).toEqual([0, []]);
  });

  it("leaves no timer and no listener when it closes", async () => {
    const { clock, breaker } = anOpenBreaker();
    const { signal } = new AbortController();
    const passing = breaker.pass(signal);
    await settle();
    breaker.answered();
    await passing;
    expect([clock.pending, getEventListeners(signal, "abort")]).toEqual([0, []]);
  });
});

type Step =
  | { readonly does: "come" }
  | { readonly does: "open" }
  | { readonly does: "fail" | "answer" | "giveUp" | "stop"; readonly who: number }
  | { readonly does: "wait"; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Step>({ does: "come" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ does: "open" }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("fail" as const), who: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("answer" as const), who: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("giveUp" as const), who: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("stop" as const), who: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant("wait" as const), ms: fc.nat(90_000) }),
  },
);

describe("the breaker, whatever happens", () => {
  it("has one probe out at most, keeps the order, and neither loses nor forgets anybody", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { clock, breaker } = aBreaker();
        let outage = 0;
        let callers = 0;
        const waiting: { readonly name: number; readonly stop: AbortController }[] = [];
        const calling: { readonly probe: Probe; readonly outage: number }[] = [];
        const come = (): void => {
          const caller = { name: callers++, stop: new AbortController() };
          waiting.push(caller);
          breaker.pass(caller.stop.signal).then(
            (probe) => {
              // Whoever goes came before all who still wait.
              expect(waiting.shift()).toBe(caller);
              calling.push({ probe, outage });
            },
            () => {},
          );
        };
        const take = <T>(from: T[], who: number): T | undefined =>
          from.splice(who % Math.max(1, from.length), 1)[0];
        const check = async (): Promise<void> => {
          await settle();
          const open = breaker.outageMs !== null;
          if (!open) expect(waiting).toEqual([]);
          const probes = calling.filter((call) => call.outage === outage && call.probe !== null);
          if (open) expect(probes.length).toBeLessThanOrEqual(1);
        };
        for (const step of steps) {
          const wasOpen = breaker.outageMs !== null;
          if (step.does === "come") come();
          else if (step.does === "wait") await clock.advance(step.ms);
          else if (step.does === "open") {
            for (let failure = 0; failure < 10; failure += 1) breaker.failed("down", null);
          } else if (step.does === "stop") {
            take(waiting, step.who)?.stop.abort();
          } else {
            const call = take(calling, step.who);
            if (call === undefined) continue;
            if (step.does === "fail") breaker.failed("down", call.probe);
            else if (step.does === "answer") breaker.answered();
            else breaker.gaveUp(call.probe);
          }
          if (!wasOpen && breaker.outageMs !== null) outage += 1;
          await check();
        }
        // With a minute for each probe everybody gets his turn, even in an endless outage.
        for (let turn = 0; waiting.length > 0 && turn <= callers; turn += 1) {
          for (const call of calling.splice(0)) breaker.failed("down", call.probe);
          await clock.advance(60_000);
        }
        expect([waiting, clock.pending]).toEqual([[], 0]);
      }),
      { numRuns: 150 },
    );
  });
});
