import { readdir } from "node:fs/promises";

import { expect, it } from "vitest";

import { hasRedisServer } from "./support/redis-server.ts";
import { reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { World } from "./support/world.ts";

it.skipIf(!hasRedisServer)(
  "runs are listed, and clean removes the finished ones that may go",
  async () => {
    await using world = await World.open({}, "redis");
    await world.write("reviews.csv", reviewsCsv(3));
    await world.write("reviews.yaml", reviewsJob());
    for (const name of ["a", "b", "c"]) {
      const done = await world.nightshift([
        "run",
        "reviews.yaml",
        "--out",
        `runs/${name}`,
        "--quiet",
      ]);
      expect(done.code).toBe(0);
    }
    const stopped = ["run", "reviews.yaml", "--out", "runs/d", "--budget-requests", "1", "--quiet"];
    expect((await world.nightshift(stopped)).code).toBe(3);

    const list = await world.nightshift(["runs"]);
    expect(list.stdout).toMatch(/^RUN DIRECTORY +STATE .* AGE +SIZE\n/);
    expect(list.stdout.trim().split("\n")).toHaveLength(5);
    const json = (await world.nightshift(["runs", "--json"])).stdout.trim().split("\n");
    expect(json.map((line) => JSON.parse(line) as unknown)[0]).toMatchObject({
      event: "run",
      state: "paused",
      bytes: expect.any(Number) as unknown,
    });

    const careless = await world.nightshift(["clean"]);
    expect([careless.code, careless.stderr]).toEqual([
      1,
      expect.stringContaining("--keep-last 30"),
    ]);
    // Not 90 seconds: whoever leaves the unit out means days.
    const unitless = await world.nightshift(["clean", "--older-than", "90"]);
    expect([unitless.code, unitless.stderr]).toEqual([1, expect.stringContaining("90d for days")]);
    expect(await readdir(world.path("runs"))).toHaveLength(4);
    const dry = await world.nightshift(["clean", "--keep-last", "1", "--dry-run"]);
    expect(dry.stderr).toMatch(
      /runs\/b would be removed .*\nruns\/a would be removed .*\n2 runs would/,
    );
    expect(await readdir(world.path("runs"))).toHaveLength(4);
    expect((await world.nightshift(["clean", "--keep-last", "1"])).code).toBe(0);
    expect((await readdir(world.path("runs"))).sort()).toEqual(["c", "d"]);
    const again = [...stopped.slice(0, 4), "--quiet"];
    expect((await world.nightshift(again)).code).toBe(0);
  },
);
