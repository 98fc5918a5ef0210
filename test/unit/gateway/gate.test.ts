import { getEventListeners } from "node:events";

import { describe, expect, it } from "vitest";

import { Gate } from "../../../src/gateway/gate.ts";
import { seededRandom } from "../../../src/system/random.ts";
import { FakeClock, settle } from "../../fakes/fake-clock.ts";

const NEVER = new AbortController().signal;

function aGate(random = (): number => 0): { clock: FakeClock; gate: Gate } {
  const clock = new FakeClock();
  return { clock, gate: new Gate(clock, random) };
}

/** Sends a call that is refused at once; the milliseconds for which the gate is closed then. */
function refused(clock: FakeClock, gate: Gate, waitMs: number | null = null): number {
  gate.close(clock.monotonic(), waitMs);
  return (gate.opensAt ?? clock.monotonic()) - clock.monotonic();
}

describe("the gate", () => {
  it("is open at first", async () => {
    const { gate, clock } = aGate();
    await gate.pass(NEVER);
    expect([gate.opensAt, clock.pending]).toEqual([null, 0]);
  });

  it("closes for as long as the gateway told", () => {
    const { clock, gate } = aGate();
    expect(refused(clock, gate, 7_500)).toBe(7_500);
  });

  it("closes for 2, 4, 8 … 60 s where the gateway did not tell", async () => {
    const { clock, gate } = aGate();
    const pauses: number[] = [];
    for (let refusal = 0; refusal < 7; refusal += 1) {
      pauses.push(refused(clock, gate));
      await clock.advance(60_001);
    }
    expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  it("begins with 2 s again after an answer", async () => {
    const { clock, gate } = aGate();
    refused(clock, gate);
    await clock.advance(2_001);
    gate.answered(clock.monotonic());
    expect(refused(clock, gate)).toBe(2_000);
  });

  it("waits no longer than at first for what was refused after it had opened", async () => {
    const { clock, gate } = aGate();
    refused(clock, gate);
    await clock.advance(2_001);
    const sentAt = clock.monotonic();
    await clock.advance(1_000);
    expect(refused(clock, gate)).toBe(4_000);
    await clock.advance(500);
    // The answer to a call that was sent in between.
    gate.answered(sentAt);
    expect([(gate.opensAt ?? 0) - clock.monotonic(), gate.closedMs]).toEqual([1_500, 2_500]);
    await clock.advance(1_501);
    expect(refused(clock, gate)).toBe(4_000);
  });

  it("waits as long as it was told, whatever is answered meanwhile", async () => {
    const { clock, gate } = aGate();
    refused(clock, gate);
    await clock.advance(2_001);
    const sentAt = clock.monotonic();
    await clock.advance(1_000);
    refused(clock, gate, 9_000);
    gate.answered(sentAt);
    expect((gate.opensAt ?? 0) - clock.monotonic()).toBe(9_000);
  });

  it("knows how long it was closed in all, each moment once", async () => {
    const { clock, gate } = aGate();
    expect(gate.closedMs).toBe(0);
    refused(clock, gate, 4_000);
    await clock.advance(1_000);
    expect(gate.closedMs).toBe(1_000);
    gate.closeFor(5_000);
    await clock.advance(10_000);
    expect(gate.closedMs).toBe(6_000);
    refused(clock, gate, 2_000);
    await clock.advance(500);
    expect(gate.closedMs).toBe(6_500);
  });

  it("counts a burst of refusals once", async () => {
    const { clock, gate } = aGate();
    const sentAt = clock.monotonic();
    await clock.advance(300);
    const news = [1, 2, 3].map(() => gate.close(sentAt, null));
    expect(news).toEqual([true, false, false]);
    expect(gate.opensAt).toBe(clock.monotonic() + 2_000);
  });

  it("counts a burst once even when it is refused in the moment it was sent", () => {
    const { clock, gate } = aGate();
    refused(clock, gate);
    expect(refused(clock, gate)).toBe(2_000);
  });

  it("stays closed for longer when a later answer of the burst tells a longer wait", () => {
    const { clock, gate } = aGate();
    const sentAt = clock.monotonic();
    gate.close(sentAt, null);
    gate.close(sentAt, 30_000);
    expect(gate.opensAt).toBe(clock.monotonic() + 30_000);
  });

  it("never opens sooner than it was told, whatever comes after", async () => {
    const { clock, gate } = aGate();
    const early = clock.monotonic();
    await clock.advance(10);
    refused(clock, gate);
    await clock.advance(3_000);
    const late = clock.monotonic();
    await clock.advance(10);
    gate.close(early, 60_000);
    const told = gate.opensAt;
    gate.close(late, null);
    gate.close(late, 1_000);
    expect(gate.opensAt).toBe(told);
  });

  it("takes a refusal of a call that was sent after the closing as news", async () => {
    const { clock, gate } = aGate();
    refused(clock, gate);
    await clock.advance(2_000);
    expect(gate.close(clock.monotonic(), null)).toBe(true);
  });

  it("lets nobody pass while it is closed", async () => {
    const { clock, gate } = aGate();
    refused(clock, gate);
    let passed = false;
    void gate.pass(NEVER).then(() => (passed = true));
    await clock.advance(1_999);
    expect(passed).toBe(false);
    await clock.advance(1);
    expect(passed).toBe(true);
  });

  it("keeps those who wait when it closes for longer meanwhile", async () => {
    const { clock, gate } = aGate();
    const sentAt = clock.monotonic();
    gate.close(sentAt, 1_000);
    let passed = false;
    void gate.pass(NEVER).then(() => (passed = true));
    gate.close(sentAt, 5_000);
    await clock.advance(4_999);
    expect(passed).toBe(false);
    await clock.advance(1);
    expect(passed).toBe(true);
  });

  it.each([
    [2_000, 500],
    [60_000, 2_000],
  ])("lets those who waited %i ms go over %i ms, not all at once", async (pause, spread) => {
    const { clock, gate } = aGate(seededRandom(7));
    refused(clock, gate, pause);
    const opensAt = clock.monotonic() + pause;
    const late: number[] = [];
    for (let caller = 0; caller < 200; caller += 1) {
      void gate.pass(NEVER).then(() => late.push(clock.monotonic() - opensAt));
    }
    await clock.advance(pause);
    gate.letIn(clock.monotonic());
    await clock.advance(spread);
    expect(late).toHaveLength(200);
    expect(Math.min(...late)).toBeLessThan(spread * 0.1);
    expect(Math.max(...late)).toBeGreaterThan(spread * 0.9);
  });

  it("lets one call go every 250 ms after a long pause, until one of them is let in", async () => {
    const { clock, gate } = aGate();
    refused(clock, gate);
    const opensAt = clock.monotonic() + 2_000;
    const went: number[] = [];
    for (let caller = 0; caller < 9; caller += 1) {
      void gate.pass(NEVER).then(() => went.push(clock.monotonic() - opensAt));
    }
    await clock.advance(2_600);
    gate.letIn(clock.monotonic());
    await clock.advance(1);
    expect(went).toEqual([0, 250, 500, 600, 600, 600, 600, 600, 600]);
  });

  it("does not take the answer to a call that was sent before it closed for an open gate", async () => {
    const { clock, gate } = aGate();
    const early = clock.monotonic();
    await clock.advance(10);
    refused(clock, gate);
    await clock.advance(2_000);
    gate.answered(early);
    let passed = 0;
    for (let caller = 0; caller < 3; caller += 1) void gate.pass(NEVER).then(() => (passed += 1));
    await settle();
    expect(passed).toBe(1);
  });

  it("lets everybody go again at once after a pause of milliseconds", async () => {
    const { clock, gate } = aGate();
    refused(clock, gate, 150);
    let passed = 0;
    for (let caller = 0; caller < 3; caller += 1) void gate.pass(NEVER).then(() => (passed += 1));
    await clock.advance(150);
    expect(passed).toBe(3);
  });

  it("lets one who comes when it is open again pass at once", async () => {
    const { clock, gate } = aGate(() => 1);
    refused(clock, gate);
    await clock.advance(2_000);
    await gate.pass(NEVER);
    expect(clock.pending).toBe(0);
  });

  it("leaves no timer and no listener when waiting is aborted", async () => {
    const { clock, gate } = aGate(() => 1);
    refused(clock, gate);
    const stop = new AbortController();
    const reason = new Error("the run ends");
    const passing = expect(gate.pass(stop.signal)).rejects.toBe(reason);
    await settle();
    stop.abort(reason);
    await passing;
    expect([clock.pending, getEventListeners(stop.signal, "abort")]).toEqual([0, []]);
  });
});
