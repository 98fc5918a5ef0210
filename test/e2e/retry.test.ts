import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";

import { mispaired, reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { World } from "./support/world.ts";

const ITEMS = 20;
/** Their first call fails for good, the next one does not; the last one never gets better. */
const FAULTS: Readonly<Record<number, string>> = {
  3: "contextx1",
  4: "contextx1",
  11: "blockedx1",
  17: "400",
};
const note = (index: number): string => {
  const fault = FAULTS[index];
  return fault === undefined ? "" : ` [[fault:${fault}]]`;
};

let world: World;
let run: RunDirectory;
beforeAll(async () => {
  world = await World.open();
  run = new RunDirectory(world.path("run"));
  await world.write("reviews.csv", reviewsCsv(ITEMS, note));
  await world.write("reviews.yaml", reviewsJob("out: run"));
  expect((await world.nightshift(["run", "reviews.yaml"])).code).toBe(2);
});
afterAll(() => world[Symbol.asyncDispose]());
let callsBefore = 0;
beforeEach(() => void (callsBefore = world.gateway.stats().requests));

async function failing(): Promise<number[]> {
  return (await run.errors()).map(({ index }) => index).sort((a, b) => a - b);
}

it("asks only the failed items that a condition names", async () => {
  const exit = await world.nightshift(["retry", "run", "--where", "code=sensitive_words_detected"]);
  expect([exit.code, world.gateway.stats().requests - callsBefore]).toEqual([2, 1]);
  expect(await failing()).toEqual([3, 4, 17]);
});

it("asks all failed items without a condition, and keeps the error of one that fails again", async () => {
  const exit = await world.nightshift(["retry", "run"]);
  expect([exit.code, world.gateway.stats().requests - callsBefore]).toEqual([2, 3]);
  expect(await failing()).toEqual([17]);
});

it("leaves each item with one outcome, its own answer and a whole output", async () => {
  expect(await run.ended()).toEqual(upTo(ITEMS));
  expect(mispaired(await run.results(), note)).toEqual([]);
  expect((await run.text("output.csv")).match(/,stop,/g)).toHaveLength(ITEMS - 1);
  expect((await world.nightshift(["verify", "run"])).code).toBe(0);
});

it("refuses a condition that it does not know, and calls nothing", async () => {
  const exit = await world.nightshift(["retry", "run", "--where", "colour=red"]);
  expect([exit.code, exit.stderr]).toEqual([1, expect.stringContaining("--where code=timeout")]);
  expect(world.gateway.stats().requests).toBe(callsBefore);
});
