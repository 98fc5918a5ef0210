import { describe, expect, it } from "vitest";

import type { TickClaims } from "../../../../src/run/scheduler/claims.ts";
import { JobWork } from "../../../../src/run/scheduler/job-work.ts";
import { TickBook } from "../../../../src/run/scheduler/tick-book.ts";
import { FakeClock, settle } from "../../../fakes/fake-clock.ts";
import { aWorkspace } from "../jobs.ts";

/** The work of one job, and whether it is held for all others to see. */
function aWork(runs: string) {
  const clock = new FakeClock();
  let isHeld = false;
  let letGo = 0;
  let releasing: Promise<void> = Promise.resolve();
  const claims: TickClaims = {
    claim: () => Promise.resolve(null),
    taken: () => Promise.resolve(new Map()),
    confirm: () => Promise.resolve(),
    hold: async () => {
      isHeld = true;
    },
    release: async () => {
      letGo += 1;
      await releasing;
      isHeld = false;
    },
    isHeldElsewhere: () => Promise.resolve(false),
    close: () => Promise.resolve(),
  };
  const work = new JobWork(new TickBook(runs, "nightly", clock), {
    scheduler: "s1",
    claims,
    clock,
    onEvent: () => {},
    fire: () => Promise.reject(new Error("nobody fires here")),
  });
  /** Begins something that goes on until the test ends it. */
  const begin = (tick: number): (() => Promise<void>) => {
    const ended = Promise.withResolvers<void>();
    work.begin(tick, "nightly", () => ended.promise);
    return async () => {
      ended.resolve();
      await settle();
    };
  };
  return {
    clock,
    work,
    begin,
    isHeld: () => isHeld,
    letGo: () => letGo,
    /** Redis takes its time from now on; it has answered when the returned function was called. */
    slowly: (): (() => void) => {
      const answered = Promise.withResolvers<void>();
      releasing = answered.promise;
      return answered.resolve;
    },
  };
}

describe("a job on a shared Redis", () => {
  it("stays held while a newer firing replaces the one that ends", async () => {
    await using workspace = await aWorkspace();
    const { work, begin, clock, isHeld, letGo } = aWork(workspace.path);
    const endFirst = begin(1);
    const endSecond = begin(2);
    await endFirst();
    expect([isHeld(), letGo(), work.size]).toEqual([true, 0, 1]);
    await endSecond();
    await work.settled();
    expect([isHeld(), letGo(), clock.pending]).toEqual([false, 1, 0]);
  });

  it("is held again when one begins while it is given up", async () => {
    await using workspace = await aWorkspace();
    const { work, begin, isHeld, slowly } = aWork(workspace.path);
    const endFirst = begin(1);
    const answer = slowly();
    await endFirst();
    const endSecond = begin(2);
    answer();
    await settle();
    expect([isHeld(), work.size]).toEqual([true, 1]);
    await endSecond();
    await work.settled();
    expect(isHeld()).toBe(false);
  });
});
