import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { SandboxOptions } from "../../src/sandbox/sandbox.ts";
import { reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory } from "./support/run-directory.ts";
import { World } from "./support/world.ts";

const ITEMS = 12;
const RUN = ["run", "reviews.yaml", "--out", "run"];
const SOURCE = "estimated by the gateway's own price list (/api/pricing)";

async function openWorld(gateway: SandboxOptions): Promise<World> {
  const world = await World.open({ models: ["house-model"], ...gateway });
  await world.write("reviews.csv", reviewsCsv(ITEMS));
  await world.write("reviews.yaml", reviewsJob().replace("gpt-4o-mini", "house-model"));
  return world;
}

/** What the sandbox took for its answers. */
function billedUsd(world: World): number {
  return world.gateway
    .ledger()
    .reduce((sum, call) => sum + call.promptTokens * 0.15e-6 + call.completionTokens * 0.6e-6, 0);
}

describe("a model that only the gateway has a price for", () => {
  let world: World;
  let summary: string;
  beforeAll(async () => {
    world = await openWorld({});
    const { code, stderr } = await world.nightshift(RUN);
    expect(code).toBe(0);
    summary = stderr;
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it("costs what the gateway bills, and the summary says whose price that is", async () => {
    const { cost_usd: cost } = await new RunDirectory(world.path("run")).usage();
    expect(cost).toBeCloseTo(billedUsd(world), 9);
    expect(summary).toContain(SOURCE);
  });

  it("costs the same for those who ask the directory alone, with the gateway gone", async () => {
    const { cost_usd: cost } = await new RunDirectory(world.path("run")).usage();
    const away = { NIGHTSHIFT_BASE_URL: "http://127.0.0.1:1/v1" };
    const status = await world.nightshift(["status", "run", "--json"], away);
    expect(JSON.parse(status.stdout)).toMatchObject({
      usage: { cost_usd: cost },
      price_sources: { "house-model": "gateway" },
    });
    const again = await world.nightshift([...RUN, "--json"], away);
    expect(JSON.parse(again.stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({
      already_finished: true,
      usage: { cost_usd: cost },
    });
  });
});

it("a price that is learned only in the second sitting holds for the answers of the first", async () => {
  await using world = await openWorld({});
  expect((await world.nightshift([...RUN, "--first", "4"])).code).toBe(0);
  const directory = new RunDirectory(world.path("run"));
  // As if the list had not answered by then.
  const { gateway_prices: _learned, ...manifest } = await directory.manifest();
  await world.write("run/run.json", JSON.stringify(manifest));
  expect((await world.nightshift(RUN)).code).toBe(0);
  expect((await directory.usage()).cost_usd).toBeCloseTo(billedUsd(world), 9);
});

it("a model that the gateway has no price for either is unknown, never 0", async () => {
  await using world = await openWorld({ profile: "oneapi" });
  const { code, stderr } = await world.nightshift(RUN);
  expect([code, stderr]).toEqual([0, expect.stringContaining("no price for house-model")]);
  expect((await new RunDirectory(world.path("run")).usage()).cost_usd).toBeNull();
});
