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

describe("slots", () => {
  it("let callers go in the order of asking", async () => {
    const slots = new Slots(2);
    const { came, went } = line(slots);
    for (const name of ["a", "b", "c", "d"]) came(name);
    await settle();
    expect(went).toEqual(["a", "b"]);
    slots.free();
    await settle();
    expect(went).toEqual(["a", "b", "c"]);
  });

  it("do not let a newcomer past those who wait", async () => {
    const slots = new Slots(1);
    const { came, went } = line(slots);
    came("a");
    came("b");
    slots.free();
    came("c");
    await settle();
    expect(went).toEqual(["a", "b"]);
  });

  it("refuse a caller that has been told to stop already", async () => {
    await expect(new Slots(1).take(AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop");
  });

  it("give the place of one who stops waiting to the next", async () => {
    const slots = new Slots(1);
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
    const slots = new Slots(1);
    await slots.take(NEVER);
    const stop = new AbortController();
    const waiting = slots.take(stop.signal);
    const reason = new Error("the run ends");
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it("leave no listener on a signal, however waiting ended", async () => {
    const slots = new Slots(1);
    const { signal } = new AbortController();
    const { came } = line(slots);
    came("a", signal);
    came("b", signal);
    slots.free();
    await settle();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("halve with each shrinking, but never below one", () => {
    const slots = new Slots(5);
    const limits = [1, 2, 3].map(() => {
      slots.shrink();
      return slots.limit;
    });
    expect(limits).toEqual([2, 1, 1]);
  });

  it("let nobody go after shrinking until enough are free", async () => {
    const slots = new Slots(4);
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

  it("grow by one after a round of answers, and let the next go", async () => {
    const slots = new Slots(4);
    const { came, went } = line(slots);
    slots.shrink();
    came("a");
    came("b");
    came("c");
    slots.grow();
    await settle();
    expect(went).toEqual(["a", "b"]);
    slots.grow();
    await settle();
    expect(went).toEqual(["a", "b", "c"]);
  });

  it("grow by one after twenty answers, where a round is longer", () => {
    const slots = new Slots(100);
    slots.shrink();
    for (let answer = 0; answer < 19; answer += 1) slots.grow();
    expect(slots.limit).toBe(50);
    slots.grow();
    expect(slots.limit).toBe(51);
  });

  it("begin to count answers anew with each shrinking", () => {
    const slots = new Slots(8);
    slots.shrink();
    for (let answer = 0; answer < 3; answer += 1) slots.grow();
    slots.shrink();
    slots.grow();
    expect(slots.limit).toBe(2);
  });

  it("never grow beyond the most that was allowed", () => {
    const slots = new Slots(3);
    for (let answer = 0; answer < 100; answer += 1) slots.grow();
    expect(slots.limit).toBe(3);
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
        const slots = new Slots(most);
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
          else if (step.does === "grow") for (let at = 0; at < 20; at += 1) slots.grow();
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
