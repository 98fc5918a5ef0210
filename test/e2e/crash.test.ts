import { expect, it } from "vitest";

import { describeOnEachQueue, type QueueKind } from "./support/queues.ts";
import { mispaired, reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { seeded } from "./support/seeded.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const ITEMS = 1_000;
const CONCURRENCY = 24;
const KILLS = 5;
const GATEWAY = { latency: { ttftMs: 20, jitter: 0.5 } };
const COMMAND = ["run", "reviews.yaml", "--concurrency", String(CONCURRENCY)];

async function openWorld(queue: QueueKind = "embedded"): Promise<World> {
  const world = await World.open(GATEWAY, queue);
  await world.write("reviews.csv", reviewsCsv(ITEMS));
  await world.write("reviews.yaml", reviewsJob());
  return world;
}

async function completedSoFar(world: World): Promise<number> {
  const [path] = await world.runs();
  return path === undefined ? 0 : new RunDirectory(path).completed();
}

describeOnEachQueue((queue) => {
  it("loses nothing and repeats only what was in flight, killed five times and run again", async () => {
    await using world = await openWorld(queue);
    const random = seeded(20260102);
    const moments = upTo(KILLS).map(() => Math.floor(random() * ITEMS * 0.9));

    for (const moment of moments.sort((a, b) => a - b)) {
      const before = await completedSoFar(world);
      const running = world.start(COMMAND);
      await until(`${moment} items are done, some of them now`, async () => {
        return (await completedSoFar(world)) > Math.max(moment, before);
      });
      running.kill("SIGKILL");
      expect((await running.exit).signal).toBe("SIGKILL");
    }
    const last = await world.nightshift(COMMAND);

    const [path, ...others] = await world.runs();
    expect([last.code, others, last.stderr]).toEqual([
      0,
      [],
      expect.stringContaining("continuing "),
    ]);
    const run = new RunDirectory(path ?? "");
    const results = await run.results();
    expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual(upTo(ITEMS));
    expect(mispaired(results)).toEqual([]);
    expect((await run.manifest()).sittings).toHaveLength(KILLS + 1);
    expect((await world.nightshift(["verify", run.path])).code).toBe(0);

    await world.gatewayIsQuiet();
    const boughtTwice = world.gateway.stats().billedRequests - ITEMS;
    // Each kill came in the middle of work, so something was in flight every time.
    expect(boughtTwice).toBeGreaterThan(0);
    expect(boughtTwice).toBeLessThanOrEqual(KILLS * CONCURRENCY);
  });

  if (queue === "redis")
    it("heals by itself when Redis dies and comes back empty", async () => {
      await using world = await openWorld(queue);
      const running = world.start(COMMAND);
      for (const moment of [200, 500]) {
        await until(
          `${moment} items are done`,
          async () => (await completedSoFar(world)) >= moment,
        );
        await world.redis?.kill();
        await world.redis?.restart();
      }
      expect((await running.exit).code).toBe(0);
      const [path = ""] = await world.runs();
      const results = await new RunDirectory(path).results();
      expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual(upTo(ITEMS));
      expect(mispaired(results)).toEqual([]);
      // The process lived: it knew what it had sent, so nothing was bought twice.
      expect(world.gateway.stats().billedRequests).toBe(ITEMS);
    });

  if (queue === "redis")
    it("loses nothing when process and Redis die together", async () => {
      await using world = await openWorld(queue);
      const running = world.start(COMMAND);
      await until("300 items are done", async () => (await completedSoFar(world)) >= 300);
      running.kill("SIGKILL");
      await world.redis?.kill();
      await running.exit;
      await world.redis?.restart();

      expect((await world.nightshift(COMMAND)).code).toBe(0);
      const [path = ""] = await world.runs();
      expect(await new RunDirectory(path).ended()).toEqual(upTo(ITEMS));
      await world.gatewayIsQuiet();
      expect(world.gateway.stats().billedRequests - ITEMS).toBeLessThanOrEqual(CONCURRENCY);
    });
});

it("continues after a kill that left half a line behind", async () => {
  await using world = await openWorld();
  const running = world.start(COMMAND);
  await until("100 items are done", async () => (await completedSoFar(world)) >= 100);
  running.kill("SIGKILL");
  await running.exit;
  const [path = ""] = await world.runs();
  const run = new RunDirectory(path);
  const whole = await run.text("results.jsonl");
  await world.write(path.slice(world.directory.length) + "/results.jsonl", whole.slice(0, -40));

  expect((await world.nightshift(["verify", path])).stderr).toContain("torn line");
  expect((await world.nightshift(COMMAND)).code).toBe(0);
  expect(await run.ended()).toEqual(upTo(ITEMS));
});
