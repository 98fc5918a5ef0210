import { getEventListeners } from "node:events";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Slots } from "../../../src/gateway/slots.ts";
import { settle } from "../../fakes/fake-clock.ts";

const NEVER = new AbortController().signal;

/** Callers by name, in the order in which they were let go. */
function line(slots: Slots): {
  came: (name: string, signal?: AbortSignal) => void;
  went: string[];
} {
  const went: string[] = [];
  const came = (name: string, signal = NEVER): void => {
    slots.take(signal).then(
      () => went.push(name),
      () => {},
    );
  };
  return { came, went };
}

/** Slots that so many more than allowed ask for. */
function crowded(most: number, learned: number | null = most): Slots {
  const slots = new Slots(most, learned, 0);
  for (let caller = 0; caller < 2 * most; caller += 1) void slots.take(NEVER);
  return slots;
}

function answered(slots: Slots, now = 0, ms = 50): void {
  slots.answered(ms, now);
}

describe("slots", () => {
  it("let callers go in the order of asking", async () => {
    const slots = new Slots(2, 2, 0);
    const { came, went } = line(slots);
    for (const name of ["a", "b", "c", "d"]) came(name);
    await settle();
    expect(went).toEqual(["a", "b"]);
    slots.free();
    await settle();
    expect(went).toEqual(["a", "b", "c"]);
  });

  it("do not let a newcomer past those who wait", async () => {
    const slots = new Slots(1, 1, 0);
    const { came, went } = line(slots);
    came("a");
    came("b");
    slots.free();
    came("c");
    await settle();
    expect(went).toEqual(["a", "b"]);
  });

  it("refuse a caller that has been told to stop already", async () => {
    await expect(new Slots(1, 1, 0).take(AbortSignal.abort(new Error("stop")))).rejects.toThrow(
      "stop",
    );
  });

  it("give the place of one who stops waiting to the next", async () => {
    const slots = new Slots(1, 1, 0);
    const { came, went } = line(slots);
    const stop = new AbortController();
    came("a");
    came("b", stop.signal);
    came("c");
    stop.abort();
    slots.free();
    await settle();
    expect(went).toEqual(["a", "c"]);
  });

  it("tell one who stops waiting the reason", async () => {
    const slots = new Slots(1, 1, 0);
    await slots.take(NEVER);
    const stop = new AbortController();
    const waiting = slots.take(stop.signal);
    const reason = new Error("the run ends");
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it("leave no listener on a signal, however waiting ended", async () => {
    const slots = new Slots(1, 1, 0);
    const { signal } = new AbortController();
    const { came } = line(slots);
    came("a", signal);
    came("b", signal);
    slots.free();
    await settle();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("halve with each shrinking, but never below one", () => {
    const slots = new Slots(5, 5, 0);
    const limits = [1, 2, 3].map(() => {
      slots.shrink();
      return slots.limit;
    });
    expect(limits).toEqual([2, 1, 1]);
  });

  it("let nobody go after shrinking until enough are free", async () => {
    const slots = new Slots(4, 4, 0);
    const { came, went } = line(slots);
    for (const name of ["a", "b", "c", "d", "e"]) came(name);
    slots.shrink();
    slots.free();
    slots.free();
    await settle();
    expect(went).not.toContain("e");
    slots.free();
    await settle();
    expect(went).toContain("e");
  });

  it("begin with 64 at once, and allow one more with every answer as long as others wait", async () => {
    const slots = new Slots(500, null, 0);
    const { came, went } = line(slots);
    for (let caller = 0; caller < 200; caller += 1) came(String(caller));
    await settle();
    expect(went).toHaveLength(64);
    for (let answer = 0; answer < 8; answer += 1) answered(slots);
    await settle();
    expect(went).toHaveLength(72);
  });

  it("allow no more while nobody waits for it", () => {
    const slots = new Slots(100, null, 0);
    for (let answer = 0; answer < 50; answer += 1) answered(slots);
    expect(slots.limit).toBe(64);
  });

  it("grow by one after a round of answers, once they have shrunk", async () => {
    const slots = crowded(4);
    slots.shrink();
    answered(slots);
    expect(slots.limit).toBe(2);
    answered(slots);
    expect(slots.limit).toBe(3);
  });

  it("grow by one after twenty answers, where a round is longer", () => {
    const slots = crowded(100);
    slots.shrink();
    for (let answer = 0; answer < 19; answer += 1) answered(slots);
    expect(slots.limit).toBe(50);
    answered(slots);
    expect(slots.limit).toBe(51);
  });

  it.each([
    ["as many were let in lately: all may go on", 40, 64],
    ["less were let in lately: those may go on", 41, 40],
  ])("after a refusal that nothing explains, where %s", (_what, calls, allowed) => {
    const slots = crowded(64);
    slots.letIn(40);
    slots.suspected(calls);
    expect(slots.limit).toBe(allowed);
  });

  it("shrink after all when such refusals go on", () => {
    const slots = crowded(64);
    slots.letIn(40);
    for (let refusal = 0; refusal < 40; refusal += 1) slots.suspected(40);
    expect(slots.limit).toBe(1);
  });

  it("begin to count answers anew with each shrinking", () => {
    const slots = crowded(8);
    slots.shrink();
    for (let answer = 0; answer < 3; answer += 1) answered(slots);
    slots.shrink();
    answered(slots);
    expect(slots.limit).toBe(2);
  });

  it("never grow beyond the most that was allowed", () => {
    const slots = crowded(3);
    for (let answer = 0; answer < 100; answer += 1) answered(slots);
    expect(slots.limit).toBe(3);
  });

  it("keep to the number at which the account refused one more, and remember it", () => {
    const slots = crowded(100);
    slots.refused(20, 0);
    for (let now = 0; now < 60_000; now += 10) answered(slots, now);
    expect([slots.limit, slots.learned]).toEqual([20, 20]);
  });

  it("try more after a minute, and later and later when that is refused again", () => {
    const slots = crowded(100);
    const trials: number[] = [];
    slots.refused(20, 0);
    for (let now = 0; now < 800_000; now += 100) {
      answered(slots, now);
      if (slots.limit <= 20) continue;
      trials.push(Math.round(now / 1_000));
      slots.refused(20, now);
    }
    expect(trials).toEqual([62, 364]);
  });

  it("begin where an earlier run came to", () => {
    expect(new Slots(100, 20, 0).limit).toBe(20);
  });

  it("keep to the calls at once that bring as many answers as more would", () => {
    const slots = crowded(400, null);
    for (let now = 0; now < 10_000; now += 10) {
      // A hundred a second, however many ask: who asks with more waits longer.
      answered(slots, now, slots.limit * 10);
    }
    expect(slots.limit).toBeLessThan(140);
    expect(slots.isCrowded).toBe(true);
  });

  it("do not take quick answers that get slower for a crowd", () => {
    const slots = crowded(64, null);
    for (let now = 0; now < 1_000; now += 1) answered(slots, now, slots.limit);
    expect([slots.limit, slots.isCrowded]).toEqual([64, false]);
  });

  it("admit nobody above the limit, in order, and lose nobody", async () => {
    const step = fc.oneof(
      fc.constant({ does: "take" } as const),
      fc.constant({ does: "free" } as const),
      fc.constant({ does: "shrink" } as const),
      fc.constant({ does: "grow" } as const),
      fc.record({ does: fc.constant("abort" as const), who: fc.nat() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step), async (most, steps) => {
        const slots = new Slots(most, most, 0);
        const waiting: { readonly name: number; readonly stop: AbortController }[] = [];
        const went: number[] = [];
        let names = 0;
        let held = 0;
        for (const step of steps) {
          const before = held;
          if (step.does === "take") {
            const caller = { name: names++, stop: new AbortController() };
            waiting.push(caller);
            slots.take(caller.stop.signal).then(
              () => {
                held += 1;
                went.push(caller.name);
                expect(waiting.shift()).toBe(caller);
              },
              () => {},
            );
          } else if (step.does === "free" && held > 0) {
            held -= 1;
            slots.free();
          } else if (step.does === "shrink") slots.shrink();
          else if (step.does === "grow") for (let at = 0; at < 20; at += 1) answered(slots);
          else if (step.does === "abort" && waiting.length > 0) {
            const [caller] = waiting.splice(step.who % waiting.length, 1);
            caller?.stop.abort();
          }
          await Promise.resolve()
            .then(() => {})
            .then(() => {});
          expect(slots.taken).toBe(held);
          expect(slots.waiting).toBe(waiting.length);
          if (held > before) expect(held).toBeLessThanOrEqual(slots.limit);
          if (held < slots.limit) expect(waiting).toEqual([]);
        }
        expect(went).toEqual([...went].sort((a, b) => a - b));
      }),
    );
  });
});
