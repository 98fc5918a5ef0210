import { setTimeout as sleep } from "node:timers/promises";

import { expect, it } from "vitest";

import { Link } from "./support/link.ts";
import type { Running } from "./support/process.ts";
import { describeOnRedis } from "./support/queues.ts";
import { reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const CONCURRENCY = 8;
const OWNER = ["run", "reviews.yaml", "--no-worker"];
const WORKER = ["worker", "--concurrency", String(CONCURRENCY)];
const TAKEN_OVER_MS = 40_000;
const CUT_MS = 6_000;

async function openWorld(items: number, ttftMs: number): Promise<World> {
  const world = await World.open({ latency: { ttftMs } }, "redis");
  await world.write("reviews.csv", reviewsCsv(items));
  await world.write("reviews.yaml", reviewsJob());
  return world;
}

async function endsWell(world: World, owner: Running, items: number): Promise<RunDirectory> {
  const { code, stderr } = await owner.exit;
  expect(code, stderr).toBe(0);
  const [path = ""] = await world.runs();
  const run = new RunDirectory(path);
  expect(await run.ended()).toEqual(upTo(items));
  return run;
}

describeOnRedis(() => {
  it("the items of a killed worker are taken over within 40 s, with all their attempts", async () => {
    await using world = await openWorld(40, 2_000);
    const dead = world.start(WORKER);
    const owner = world.start(OWNER);
    await until("it has its hands full", () => world.gateway.stats().inFlight === CONCURRENCY);
    world.start(WORKER);
    dead.kill("SIGKILL");
    const killedAt = Date.now();
    const run = await endsWell(world, owner, 40);
    // Those that were in flight came last: everything else was done long before.
    expect(Date.now() - killedAt).toBeLessThanOrEqual(TAKEN_OVER_MS);
    expect(world.gateway.stats().requests).toBe(40 + CONCURRENCY);
    const attempts = (await run.results()).map(({ nightshift }) => nightshift.attempts);
    expect(new Set(attempts)).toEqual(new Set([1]));
  });

  it("what a worker answers while its link is cut is delivered, and nothing is asked twice", async () => {
    await using world = await openWorld(400, 200);
    const link = await Link.open((world.redis?.address ?? "").replace("unix://", ""));
    try {
      const far = world.start(WORKER, { NIGHTSHIFT_REDIS_URL: `redis://127.0.0.1:${link.port}` });
      const owner = world.start(OWNER);
      await until("it works", () => world.gateway.stats().billedRequests > 4 * CONCURRENCY);
      link.cut();
      world.start(WORKER);
      await sleep(CUT_MS);
      link.mend();
      await endsWell(world, owner, 400);
      expect(world.gateway.stats().billedRequests).toBe(400);
      far.kill("SIGTERM");
      expect((await far.exit).code).toBe(0);
    } finally {
      await link.close();
    }
  });
});
