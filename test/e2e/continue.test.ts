import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { mispaired, reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const ITEMS = 30;

async function openWorld(): Promise<World> {
  const world = await World.open();
  await world.write("reviews.csv", reviewsCsv(ITEMS));
  await world.write("reviews.yaml", reviewsJob());
  return world;
}

describe("a finished run", () => {
  let world: World;
  const command = ["run", "reviews.yaml", "--out", "run"];
  beforeAll(async () => {
    world = await openWorld();
    expect((await world.nightshift(command)).code).toBe(0);
    world.gateway.reset();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  async function refused(args: readonly string[]): Promise<string> {
    const before = await new RunDirectory(world.path("run")).text("results.jsonl");
    const { code, stdout, stderr } = await world.nightshift(args);
    expect([code, stdout, world.gateway.stats().requests]).toEqual([1, "", 0]);
    expect(await new RunDirectory(world.path("run")).text("results.jsonl")).toBe(before);
    return stderr;
  }

  it("is left alone by the same command, which says so", async () => {
    const again = await world.nightshift(command);
    expect([again.code, again.stderr, world.gateway.stats().requests]).toEqual([
      0,
      expect.stringContaining("nothing was called"),
      0,
    ]);
  });

  it("goes with other limits: they are no part of what it is", async () => {
    expect(
      (await world.nightshift([...command, "--concurrency", "3", "--timeout", "5s"])).code,
    ).toBe(0);
  });

  it("refuses another prompt", async () => {
    expect(await refused([...command, "--prompt", "Else: {{ text }}"])).toMatch(
      /changed.*messages/,
    );
  });

  it("refuses another model, naming both", async () => {
    const stderr = await refused([...command, "--model", "gpt-4o"]);
    expect(stderr).toContain('model (was "gpt-4o-mini", now "gpt-4o")');
  });

  it("refuses an input whose bytes have changed", async () => {
    await world.write("reviews.csv", reviewsCsv(ITEMS).replace("number 7", "number seven"));
    try {
      expect(await refused(command)).toMatch(/changed.*input/);
    } finally {
      await world.write("reviews.csv", reviewsCsv(ITEMS));
    }
  });

  it("refuses --new in its own directory", async () => {
    expect(await refused([...command, "--new"])).toContain("leave --new out");
  });
});

it("starts another run with --new, and continues neither", async () => {
  await using world = await openWorld();
  await world.nightshift(["run", "reviews.yaml"]);
  await world.nightshift(["run", "reviews.yaml", "--new"]);
  const runs = await world.runs();
  expect(runs).toHaveLength(2);
  for (const run of runs) expect(await new RunDirectory(run).ended()).toEqual(upTo(ITEMS));
});

it("asks only for the others after --first 5", async () => {
  await using world = await openWorld();
  expect((await world.nightshift(["run", "reviews.yaml", "--first", "5"])).code).toBe(0);
  const [path = ""] = await world.runs();
  const run = new RunDirectory(path);
  expect(await run.ended()).toEqual(upTo(5));

  const rest = await world.nightshift(["run", "reviews.yaml"]);
  expect([rest.code, await world.runs(), world.gateway.stats().requests]).toEqual([
    0,
    [path],
    ITEMS,
  ]);
  expect(await run.ended()).toEqual(upTo(ITEMS));
  expect(mispaired(await run.results())).toEqual([]);
  expect((await run.text("output.csv")).trimEnd().split("\n")).toHaveLength(ITEMS + 1);
});

it("exits 2 again when a finished run had failures, and calls nothing", async () => {
  await using world = await openWorld();
  await world.write(
    "reviews.csv",
    reviewsCsv(3, (index) => (index === 1 ? " [[fault:context]]" : "")),
  );
  const first = await world.nightshift(["run", "reviews.yaml", "--out", "run"]);
  const again = await world.nightshift(["run", "reviews.yaml", "--out", "run"]);
  expect([first.code, again.code, world.gateway.stats().requests]).toEqual([2, 2, 3]);
});

it("refuses a directory that another process works in, and names that process", async () => {
  await using world = await openWorld();
  world.gateway.script([{ delayMs: 60_000, times: ITEMS }]);
  const command = ["run", "reviews.yaml", "--out", "run"];
  const owner = world.start(command);
  await until("all are asked", () => world.gateway.stats().inFlight === ITEMS);

  const second = await world.nightshift(command);
  expect([second.code, second.stderr]).toEqual([
    1,
    expect.stringContaining(`in use by process ${owner.pid} on `),
  ]);
  expect([owner.hasEnded, world.gateway.stats().requests]).toEqual([false, ITEMS]);
});

it("takes over a directory whose owner was killed", async () => {
  await using world = await openWorld();
  world.gateway.script([{ delayMs: 60_000, times: ITEMS }]);
  const command = ["run", "reviews.yaml", "--out", "run"];
  const owner = world.start(command);
  await until("all are asked", () => world.gateway.stats().inFlight === ITEMS);
  owner.kill("SIGKILL");
  await owner.exit;
  expect((await world.nightshift(command)).code).toBe(0);
});

it("puts date and names into the directory that a job asks for", async () => {
  await using world = await openWorld();
  await world.write("reviews.yaml", reviewsJob('out: "results/{{ name }}-{{ date }}"'));
  await world.nightshift(["run", "reviews.yaml"], { TZ: "UTC" });
  const [name] = await new RunDirectory(world.path("results")).files();
  expect(name).toMatch(/^reviews-\d{4}-\d\d-\d\d$/);
});
