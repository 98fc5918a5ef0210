import { setTimeout as sleep } from "node:timers/promises";

import { expect, it, vi } from "vitest";

import { describeOnRedis } from "./support/queues.ts";
import { reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const ITEMS = 600;
const CONCURRENCY = 8;
const GATEWAY = { latency: { ttftMs: 60, jitter: 0.3 } };
const WORKER = ["worker", "--concurrency", String(CONCURRENCY)];
/** From the end of the command to the last call that begins after it. */
const TAKES_HOLD_MS = 2_000;
/** The gateway remembers its calls by tenths of a second. */
const SLICE_MS = 100;

async function openWorld(): Promise<World> {
  const world = await World.open(GATEWAY, "redis");
  await world.write("reviews.csv", reviewsCsv(ITEMS));
  await world.write("reviews.yaml", reviewsJob());
  return world;
}

async function onlyRun(world: World): Promise<RunDirectory> {
  const [path = ""] = await world.runs();
  return new RunDirectory(path);
}

async function runId(world: World): Promise<string> {
  return (await (await onlyRun(world)).manifest()).run_id;
}

async function completed(world: World, items: number): Promise<void> {
  await until(
    `${items} items are done`,
    async () => (await (await onlyRun(world)).completed()) >= items,
  );
}

/** When the last call began, at the latest, in wall-clock milliseconds. */
function lastCall(world: World): number {
  const slices = world.gateway.timeline("sk-demo");
  return (slices.findLast(({ admitted }) => admitted > 0)?.at ?? 0) + SLICE_MS;
}

describeOnRedis(() => {
  for (const owner of [
    ["run", "reviews.yaml", "--no-worker"],
    ["run", "reviews.yaml", "--concurrency", String(CONCURRENCY)],
  ]) {
    it(`pauses and resumes \`${owner.join(" ")}\`, and a pause outlives an emptied Redis`, async () => {
      await using world = await openWorld();
      world.start(WORKER);
      const running = world.start(owner);
      await completed(world, 60);
      const run = await onlyRun(world);
      const id = await runId(world);

      const paused = await world.nightshift(["pause", id]);
      const pausedAt = Date.now();
      expect([paused.code, paused.stdout]).toEqual([0, expect.stringContaining("is paused")]);
      await sleep(TAKES_HOLD_MS + 1_000);
      expect(lastCall(world) - pausedAt).toBeLessThanOrEqual(TAKES_HOLD_MS);
      const billed = world.gateway.stats().billedRequests;
      const redis = world.redis?.connect();
      await redis?.flushall();
      redis?.disconnect();
      await sleep(4_000);
      expect(world.gateway.stats().billedRequests).toBe(billed);
      // What was in flight is recorded.
      expect(await run.completed()).toBe(billed);
      expect(billed).toBeLessThan(ITEMS);
      expect(await run.manifest()).toMatchObject({ state: "paused", reason: { code: "paused" } });
      expect(running.stderr).toContain(`nightshift resume ${id}`);

      expect((await world.nightshift(["resume", id])).code).toBe(0);
      expect((await running.exit).code).toBe(0);
      expect(await run.ended()).toEqual(upTo(ITEMS));
      expect((await run.manifest()).state).toBe("finished");
      expect(world.gateway.stats().billedRequests).toBe(ITEMS);
    });
  }

  it("cancels a run: its directory is whole, and goes on with the same command", async () => {
    await using world = await openWorld();
    const worker = world.start(WORKER);
    const running = world.start(["run", "reviews.yaml", "--no-worker"]);
    await completed(world, 60);
    const { code } = await world.nightshift(["cancel", await runId(world)]);
    expect(code).toBe(0);
    expect((await running.exit).code).toBe(3);
    const run = await onlyRun(world);
    expect((await run.manifest()).state).toBe("cancelled");
    expect((await world.nightshift(["verify", run.path])).code).toBe(0);
    await world.gatewayIsQuiet();
    expect(await run.completed()).toBe(world.gateway.stats().billedRequests);

    expect((await world.nightshift(["run", "reviews.yaml", "--no-worker"])).code).toBe(0);
    expect(await run.ended()).toEqual(upTo(ITEMS));
    expect(world.gateway.stats().billedRequests).toBe(ITEMS);
    worker.kill("SIGKILL");
  });

  it("a run that was paused without its owner waits when it is started again", async () => {
    await using world = await openWorld();
    const running = world.start(["run", "reviews.yaml", "--no-worker"]);
    await until("the run is there", async () => (await world.runs()).length > 0);
    await until("it is known", async () =>
      (await world.nightshift(["status"])).stdout.includes("running"),
    );
    running.kill("SIGKILL");
    await running.exit;
    await sleep(5_200);
    const id = await runId(world);
    const { stdout } = await world.nightshift(["pause", id]);
    expect(stdout).toContain("no owner");
    world.start(WORKER);
    const again = world.start(["run", "reviews.yaml", "--no-worker"]);
    await until("it is held", () => again.stderr.includes("nightshift resume"));
    await sleep(1_500);
    expect(world.gateway.stats().billedRequests).toBe(0);
    expect((await world.nightshift(["resume", id])).code).toBe(0);
    expect((await again.exit).code).toBe(0);
  });

  it("a paused run stays paused when its owner dies and Redis is emptied", async () => {
    await using world = await openWorld();
    world.start(WORKER);
    const dead = world.start(["run", "reviews.yaml", "--no-worker"]);
    await completed(world, 60);
    const id = await runId(world);
    await world.nightshift(["pause", id]);
    await until("it is held", () => dead.stderr.includes("nightshift resume"));
    await until("that is written", async () => {
      return (await (await onlyRun(world)).manifest()).state === "paused";
    });
    dead.kill("SIGKILL");
    await dead.exit;
    await world.gatewayIsQuiet();
    await world.redis?.kill();
    await world.redis?.restart();
    const billed = world.gateway.stats().billedRequests;
    const again = world.start(["run", "reviews.yaml", "--no-worker"]);
    await until("it is held", () => again.stderr.includes("nightshift resume"));
    await sleep(1_500);
    again.kill("SIGTERM");
    expect((await again.exit).code).toBe(3);
    expect(world.gateway.stats().billedRequests).toBe(billed);
    expect(await (await onlyRun(world)).manifest()).toMatchObject({ state: "paused", held: true });

    const last = world.start(["run", "reviews.yaml", "--no-worker"]);
    await until("it is held", () => last.stderr.includes("nightshift resume"));
    expect((await world.nightshift(["resume", id])).code).toBe(0);
    expect((await last.exit).code).toBe(0);
    expect(await (await onlyRun(world)).ended()).toEqual(upTo(ITEMS));
  });

  it("shows the runs of all machines, and names them where a run id is unknown", async () => {
    await using world = await openWorld();
    world.start(WORKER);
    const running = world.start(["run", "reviews.yaml", "--no-worker"]);
    await completed(world, 30);
    const id = await runId(world);
    const status = await world.nightshift(["status"]);
    expect(status.stdout).toContain(id);
    expect(status.stdout).toContain("1 worker online, Redis uses ");
    const shared = async (): Promise<unknown[]> => {
      const lines = (await world.nightshift(["status", "--json"])).stdout.split("\n");
      return lines.slice(0, 2).map((line) => JSON.parse(line) as unknown);
    };
    expect(await shared()).toMatchObject([
      { event: "redis", workers_online: 1 },
      { event: "shared_run", run_id: id, state: "running", total: ITEMS },
    ]);
    // A worker tells every second what it has in flight.
    await vi.waitFor(
      async () => expect((await shared())[1]).toMatchObject({ run_id: id, workers: 1 }),
      { timeout: 10_000 },
    );

    const unknown = await world.nightshift(["pause", "reviews-of-last-year"]);
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringContaining(`there are: ${id}`),
    ]);
    const nowhere = await world.nightshift(["cancel", id], { NIGHTSHIFT_REDIS_URL: undefined });
    expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringContaining("--redis")]);
    running.kill("SIGKILL");
  });
});
