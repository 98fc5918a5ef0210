import { mkdir } from "node:fs/promises";

import { expect, it } from "vitest";

import { reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { World } from "./support/world.ts";

const NONE = "There are no runs here yet: start one with `nightshift run`.\n";

it.each([
  [["runs"], NONE],
  [["status"], NONE],
  [["runs", "--json"], ""],
  [["status", "--json"], ""],
  [["schedule", "list", "jobs"], "No job file here has a schedule.\n"],
  [["schedule", "next", "jobs"], "No job file here has a schedule.\n"],
])("an empty list leaves stdout empty: %j", async (command, said) => {
  await using world = await World.open();
  await mkdir(world.path("jobs"));
  expect(await world.nightshift(command)).toMatchObject({ code: 0, stdout: "", stderr: said });
});

it("a directory that is not there, and a run's own, hold no runs to list", async () => {
  await using world = await World.open();
  const missing = await world.nightshift(["runs", "rnus"]);
  expect([missing.code, missing.stdout]).toEqual([1, ""]);
  expect(missing.stderr).toContain("rnus is no directory: name the one that holds the runs");
  await world.write("reviews.csv", reviewsCsv(1));
  await world.write("reviews.yaml", reviewsJob());
  await world.nightshift(["run", "reviews.yaml", "--out", "runs/a", "--quiet"]);
  const own = await world.nightshift(["runs", "runs/a"]);
  expect([own.code, own.stdout]).toEqual([1, ""]);
  expect(own.stderr).toContain("runs/a is a run directory");
});

it("a job file that is wrong is told on stderr alone", async () => {
  await using world = await World.open();
  await world.write("bad.yaml", "input: 3\n");
  for (const command of ["next", "list"]) {
    const told = await world.nightshift(["schedule", command, "bad.yaml"]);
    expect([told.code, told.stdout]).toEqual([1, ""]);
    expect(told.stderr).toContain("bad.yaml");
  }
});
