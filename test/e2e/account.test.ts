import { describe, expect, it } from "vitest";

import type { SandboxOptions } from "../../src/sandbox/sandbox.ts";
import { reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { World } from "./support/world.ts";

const ITEMS = 120;
const CONCURRENCY = 8;
const COMMAND = ["run", "reviews.yaml", "--concurrency", String(CONCURRENCY)];

async function openWorld(gateway: SandboxOptions = {}): Promise<World> {
  const world = await World.open(gateway);
  await world.write("reviews.csv", reviewsCsv(ITEMS));
  await world.write("reviews.yaml", reviewsJob("params: { max_tokens: 40 }"));
  return world;
}

async function theRun(world: World): Promise<RunDirectory> {
  const [path = "", ...others] = await world.runs();
  expect(others).toEqual([]);
  return new RunDirectory(path);
}

describe("a wrong key", () => {
  it("stops the run before any item is sent, says what to do, and is continued with the right one", async () => {
    await using world = await openWorld();
    const stopped = await world.nightshift(COMMAND, { NIGHTSHIFT_API_KEY: "sk-wrong" });
    expect([stopped.code, stopped.stderr, world.gateway.stats().requests]).toEqual([
      3,
      expect.stringMatching(/paused.*Invalid token[^]*Check NIGHTSHIFT_API_KEY[^]*same command/),
      0,
    ]);
    const run = await theRun(world);
    expect(await run.manifest()).toMatchObject({ state: "paused", reason: { code: "account" } });

    expect((await world.nightshift(COMMAND)).code).toBe(0);
    expect(await (await theRun(world)).ended()).toEqual(upTo(ITEMS));
  });

  it("is told about even with --quiet", async () => {
    await using world = await openWorld();
    const stopped = await world.nightshift([...COMMAND, "--quiet"], {
      NIGHTSHIFT_API_KEY: "sk-expired",
    });
    expect([stopped.code, stopped.stdout, stopped.stderr]).toEqual([
      3,
      "",
      expect.stringContaining("Check NIGHTSHIFT_API_KEY"),
    ]);
  });

  it("that dies in the middle costs a handful of calls and no item", async () => {
    await using world = await openWorld({ latency: { ttftMs: 2 } });
    // The list of models still answers, as behind some gateways.
    world.gateway.script([
      { delayMs: 2, times: 50 },
      { fault: "401", times: 1_000 },
    ]);
    const stopped = await world.nightshift(COMMAND);
    const refused = world.gateway.stats().byStatus["401"];
    expect([stopped.code, stopped.stderr]).toEqual([
      3,
      expect.stringContaining("Check NIGHTSHIFT_API_KEY"),
    ]);
    // Each of the good answers that were still on their way begins the count of five anew.
    expect(refused).toBeLessThanOrEqual(6 * CONCURRENCY);

    const run = await theRun(world);
    expect([(await run.results()).length, await run.errors()]).toEqual([50, []]);
  });

  it("among good answers is one bad channel: the item is asked again", async () => {
    await using world = await openWorld();
    world.gateway.script(upTo(6).map((n) => ({ match: `number ${n * 20}:`, fault: "401" })));
    expect((await world.nightshift(COMMAND)).code).toBe(0);
    expect(await (await theRun(world)).errors()).toEqual([]);
  });
});

it("stops at a model that the gateway does not offer", async () => {
  await using world = await openWorld();
  const stopped = await world.nightshift([...COMMAND, "--model", "gpt-9"]);
  expect([stopped.code, stopped.stderr, world.gateway.stats().requests]).toEqual([
    3,
    expect.stringMatching(/does not offer `gpt-9`[^]*nightshift models/),
    0,
  ]);
});

it("stops at a base URL without /v1, where a web page answers", async () => {
  await using world = await openWorld();
  const url = world.gateway.url.replace("/v1", "");
  const stopped = await world.nightshift([...COMMAND, "--base-url", url]);
  expect([stopped.code, stopped.stderr, world.gateway.stats().requests]).toEqual([
    3,
    expect.stringMatching(/web page answered[^]*ends in \/v1/),
    0,
  ]);
});

it("stops when the balance is empty, and buys nothing twice after it was topped up", async () => {
  // Enough for some of the answers.
  await using world = await openWorld({ keys: { "sk-poor": { balanceUsd: 0.001 } } });
  const stopped = await world.nightshift(COMMAND, { NIGHTSHIFT_API_KEY: "sk-poor" });
  const bought = world.gateway.stats().billedRequests;
  expect([stopped.code, stopped.stderr]).toEqual([
    3,
    expect.stringContaining("Top up the account"),
  ]);
  expect(bought).toBeGreaterThan(0);
  expect(bought).toBeLessThan(ITEMS);
  const run = await theRun(world);
  expect([(await run.results()).length, await run.errors()]).toEqual([bought, []]);

  expect((await world.nightshift(COMMAND)).code).toBe(0);
  expect(await run.ended()).toEqual(upTo(ITEMS));
  expect(world.gateway.stats().billedRequests).toBe(ITEMS);
});

it("stops when the quota is spent, although that is a 429", async () => {
  await using world = await openWorld();
  world.gateway.script([{ fault: "quota", times: 1_000 }]);
  const stopped = await world.nightshift(COMMAND);
  expect([stopped.code, stopped.stderr]).toEqual([3, expect.stringContaining("quota is spent")]);
  expect(world.gateway.stats().requests).toBeLessThanOrEqual(5 + 2 * CONCURRENCY);
});

it("stops when the first twenty items fail alike: all others would, too", async () => {
  await using world = await openWorld();
  world.gateway.script([{ fault: "400", times: 1_000 }]);
  const stopped = await world.nightshift(COMMAND);
  expect([stopped.code, stopped.stderr]).toEqual([
    3,
    expect.stringMatching(/first 20 items failed in the same way[^]*--new/),
  ]);
  expect(world.gateway.stats().requests).toBeLessThanOrEqual(20 + 2 * CONCURRENCY);
});

it("has finished when those were all: nothing is left to be continued", async () => {
  await using world = await openWorld();
  world.gateway.script([{ fault: "400", times: 1_000 }]);
  const ended = await world.nightshift([...COMMAND, "--first", "20"]);
  expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining("20 failed")]);
  expect((await (await theRun(world)).manifest()).state).toBe("finished");
});

it("pauses when the gateway stays away for longer than --max-outage", async () => {
  await using world = await openWorld();
  await world.gateway.close();
  const stopped = await world.nightshift([...COMMAND, "--max-outage", "1s"]);
  expect([stopped.code, stopped.stderr]).toEqual([3, expect.stringContaining("--max-outage")]);
});
