import { expect, test } from "vitest";

import { fairCapacity, Resting } from "../../../src/run/share.ts";
import { FakeClock, settle } from "../../fakes/fake-clock.ts";

test("who shares takes little more than it can call, and more for what waits to try again", () => {
  expect(fairCapacity(64, 0)).toBe(96);
  expect(fairCapacity(64, 64)).toBe(160);
  expect(fairCapacity(64, 1_000)).toBe(256);
  expect(fairCapacity(1, 0)).toBe(2);
});

test("what waits to try again is counted until its time has come, or the run ends", async () => {
  const clock = new FakeClock();
  const sizes: number[] = [];
  const resting = new Resting(clock, () => sizes.push(resting.size));
  const stopping = new AbortController();
  const first = resting.clock.sleep(1_000);
  const second = resting.clock.sleep(60_000, stopping.signal);
  expect([resting.size, resting.clock.now()]).toEqual([2, clock.now()]);
  await clock.advance(1_000);
  await first;
  expect(resting.size).toBe(1);
  stopping.abort(new Error("enough"));
  await expect(second).rejects.toThrow("enough");
  await settle();
  expect([sizes, clock.pending]).toEqual([[1, 2, 1, 0], 0]);
});
