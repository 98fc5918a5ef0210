import { describe, expect, test } from "vitest";

import { Hold } from "../../../src/run/hold.ts";

const STOP = new Error("stop");

function aHold(): { hold: Hold; stopping: AbortController } {
  const stopping = new AbortController();
  return { hold: new Hold(stopping.signal), stopping };
}

/** Whether the run goes on by now. */
async function isOver(hold: Hold): Promise<boolean> {
  return Promise.race([hold.over().then(() => true), Promise.resolve(false)]);
}

describe("a run that may be held", () => {
  test("is not held to begin with, and waits for nobody", async () => {
    const { hold } = aHold();
    expect([hold.isOn, hold.signal.aborted]).toEqual([false, false]);
    await hold.over();
  });

  test("starts no new attempt while it is held, and goes on when it is let go", async () => {
    const { hold } = aHold();
    const before = hold.signal;
    hold.on();
    expect([hold.isOn, before.aborted, hold.signal.aborted]).toEqual([true, true, true]);
    expect(await isOver(hold)).toBe(false);
    hold.off();
    expect([hold.isOn, before.aborted, hold.signal.aborted]).toEqual([false, true, false]);
    await hold.over();
  });

  test("may be told twice", async () => {
    const { hold } = aHold();
    hold.on();
    const waiting = hold.over();
    hold.on();
    hold.off();
    hold.off();
    await waiting;
    expect(hold.signal.aborted).toBe(false);
  });

  test("stops for the same reason as the sitting, also after a pause", () => {
    const { hold, stopping } = aHold();
    hold.on();
    hold.off();
    stopping.abort(STOP);
    expect(hold.signal.reason).toBe(STOP);
  });

  test("lets go of what is in hand, and of nothing that comes later", async () => {
    const { hold, stopping } = aHold();
    const inHand = hold.signal;
    hold.letGo();
    expect([inHand.aborted, hold.signal.aborted, hold.isOn]).toEqual([true, false, false]);
    await hold.over();
    stopping.abort(STOP);
    expect(hold.signal.reason).toBe(STOP);
  });

  test("stays held when it lets go", async () => {
    const { hold } = aHold();
    hold.on();
    hold.letGo();
    expect([hold.isOn, hold.signal.aborted]).toEqual([true, true]);
    expect(await isOver(hold)).toBe(false);
  });
});
