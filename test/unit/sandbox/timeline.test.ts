import { expect, it } from "vitest";

import { Limiter } from "../../../src/sandbox/limits.ts";
import type { Limits } from "../../../src/sandbox/limits.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";

const HOUR_MS = 3_600_000;
const NONE = { requests: 0, tokens: 0, concurrency: 0 };

function watched(limits: Limits) {
  const clock = new FakeClock();
  return { clock, start: clock.now(), limiter: new Limiter(limits, clock) };
}

it("has a slice for each tenth of a second in which something happened", async () => {
  const { clock, start, limiter } = watched({});
  limiter.reserve(10);
  await clock.advance(250);
  limiter.reserve(20);
  expect(limiter.timeline()).toEqual([
    { at: start, admitted: 1, tokens: 10, refused: NONE, inFlightMs: 0 },
    { at: start + 200, admitted: 1, tokens: 20, refused: NONE, inFlightMs: 0 },
  ]);
});

it("counts the time in flight in the slices in which it passed", async () => {
  const { clock, limiter } = watched({});
  await clock.advance(50);
  limiter.enter();
  limiter.enter();
  await clock.advance(75);
  limiter.leave();
  await clock.advance(100);
  limiter.leave();
  expect(limiter.timeline().map(({ inFlightMs }) => inFlightMs)).toEqual([100, 125, 25]);
});

it("counts what is still in flight", async () => {
  const { clock, limiter } = watched({});
  limiter.enter();
  await clock.advance(30);
  expect(limiter.timeline()).toMatchObject([{ inFlightMs: 30 }]);
});

it.each([
  [{ rpm: 0 }, { ...NONE, requests: 1 }],
  [{ maxConcurrency: 0 }, { ...NONE, concurrency: 1 }],
  [{ tpm: 4 }, { ...NONE, tokens: 1 }],
] as const)("tells under %j which limit refused", (limits, refused) => {
  const { limiter } = watched(limits);
  if (limiter.enter() === null) limiter.reserve(5);
  expect(limiter.timeline()).toMatchObject([{ admitted: 0, refused }]);
});

it("takes off the tokens that were given back", () => {
  const { limiter } = watched({ tpm: 1000 });
  const reservation = limiter.reserve(100);
  if (reservation !== null && "amount" in reservation) limiter.settle(reservation, 60);
  expect(limiter.timeline()).toMatchObject([{ admitted: 1, tokens: 60 }]);
});

it("goes on when the limits change", () => {
  const { limiter } = watched({});
  limiter.reserve(1);
  limiter.change({ rpm: 5 });
  expect(limiter.timeline()).toMatchObject([{ admitted: 1 }]);
});

it("keeps the last hour, and not for ever what was before", () => {
  let now = 0;
  const limiter = new Limiter({}, Object.assign(new FakeClock(), { now: () => now }));
  for (; now < 3 * HOUR_MS; now += 100) limiter.reserve(1);
  const firstAt = limiter.timeline()[0]?.at ?? 0;
  expect([firstAt > 0, now - firstAt >= HOUR_MS]).toEqual([true, true]);
});
