import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";

import { mispaired, reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { type Line, RunDirectory, upTo } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
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

function callsOf(lines: readonly Line[], index: number): number | undefined {
  return lines.find((line) => line.index === index)?.nightshift.attempts;
}

async function failing(): Promise<number[]> {
  return (await run.errors()).map(({ index }) => index).sort((a, b) => a - b);
}

it("says that no failed item matches a condition, and which codes there are", async () => {
  const exit = await world.nightshift(["retry", "run", "--where", "code=tiemout"]);
  expect([exit.code, world.gateway.stats().requests - callsBefore]).toEqual([2, 0]);
  expect(exit.stderr).toMatch(
    /^⚠ no failed item matches code=tiemout: nothing was called\n {2}4 items failed: 2 context_length_exceeded, /,
  );
});

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

it("counts every call, those of errors that are gone too", async () => {
  const usage = await run.usage();
  expect([
    usage.attempts,
    callsOf(await run.results(), 11),
    callsOf(await run.errors(), 17),
  ]).toEqual([world.gateway.stats().requests, 2, 2]);
});

it("refuses a condition that it does not know, and calls nothing", async () => {
  const exit = await world.nightshift(["retry", "run", "--where", "colour=red"]);
  expect([exit.code, exit.stderr]).toEqual([1, expect.stringContaining("--where code=timeout")]);
  expect(world.gateway.stats().requests).toBe(callsBefore);
});

it("goes on as a retry after an interruption, which run does not, and tells its own progress", async () => {
  await using elsewhere = await World.open();
  const directory = new RunDirectory(elsewhere.path("run"));
  await elsewhere.write(
    "reviews.csv",
    reviewsCsv(3, (index) => (index === 2 ? "" : note(3))),
  );
  await elsewhere.write("reviews.yaml", reviewsJob("out: run", "limits: { concurrency: 1 }"));
  expect((await elsewhere.nightshift(["run", "reviews.yaml"])).code).toBe(2);

  elsewhere.gateway.script([{ delayMs: 1_000 }]);
  const retry = ["retry", "run", "--where", "class=item"];
  const running = elsewhere.start([...retry, "--json"]);
  await until("the first call waits", () => elsewhere.gateway.stats().inFlight === 1);
  running.kill("SIGINT");
  const { code, stderr, stdout } = await running.exit;
  expect([code, stderr]).toEqual([
    3,
    expect.stringContaining(
      `That is \`nightshift retry ${directory.path} --where class=item\`: \`nightshift run\` does not ask`,
    ),
  ]);
  expect(stdout).toContain('"retrying":{"total":2,"completed":0,"failed":0}');
  expect((await elsewhere.nightshift(["status", "run"])).stdout).toContain("nightshift retry");

  const { requests } = elsewhere.gateway.stats();
  expect((await elsewhere.nightshift(["run", "reviews.yaml"])).code).toBe(2);
  expect(elsewhere.gateway.stats().requests).toBe(requests);
  expect((await elsewhere.nightshift(retry)).code).toBe(0);
  expect(await directory.ended()).toEqual(upTo(3));
});
