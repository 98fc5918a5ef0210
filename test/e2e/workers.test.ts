import { expect, it } from "vitest";

import type { SandboxOptions } from "../../src/sandbox/sandbox.ts";
import type { Running } from "./support/process.ts";
import { describeOnRedis } from "./support/queues.ts";
import { mispaired, reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const ITEMS = 600;
const CONCURRENCY = 16;
const GATEWAY = { latency: { ttftMs: 40, jitter: 0.3 } };
const OWNER = ["run", "reviews.yaml", "--no-worker"];
const WORKER = ["worker", "--concurrency", String(CONCURRENCY)];

async function openWorld(items = ITEMS, gateway: SandboxOptions = GATEWAY): Promise<World> {
  const world = await World.open(gateway, "redis");
  await world.write("reviews.csv", reviewsCsv(items));
  await world.write("reviews.yaml", reviewsJob());
  return world;
}

async function onlyRun(world: World): Promise<RunDirectory> {
  const [path = ""] = await world.runs();
  return new RunDirectory(path);
}

async function completed(world: World, items: number): Promise<void> {
  await until(
    `${items} items are done`,
    async () => (await (await onlyRun(world)).completed()) >= items,
  );
}

/** Everything that Redis holds, as text. */
async function everythingIn(world: World): Promise<string> {
  const redis = world.redis?.connect();
  if (redis === undefined) throw new Error("this world has no Redis");
  const keys = await redis.keys("*");
  const dumps = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
  redis.disconnect();
  return [...keys, ...dumps.map((dump) => dump?.toString("latin1") ?? "")].join("\n");
}

async function keysIn(world: World): Promise<string[]> {
  const redis = world.redis?.connect();
  const keys = (await redis?.keys("*")) ?? [];
  redis?.disconnect();
  return keys.sort();
}

async function endsWell(world: World, owner: Running, items = ITEMS): Promise<RunDirectory> {
  const { code, stderr } = await owner.exit;
  expect(code, stderr).toBe(0);
  const run = await onlyRun(world);
  const results = await run.results();
  expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual(upTo(items));
  expect(mispaired(results)).toEqual([]);
  return run;
}

function isCard(key: string): boolean {
  return key.startsWith("nightshift:worker:");
}

describeOnRedis(() => {
  it("two workers answer what an owner only enqueues and records, each item once", async () => {
    await using world = await openWorld();
    const workers = [world.start(WORKER), world.start(WORKER)];
    const owner = world.start(OWNER, { NIGHTSHIFT_API_KEY: undefined });
    await completed(world, 100);
    expect(await everythingIn(world)).not.toMatch(/sk-demo/);
    await endsWell(world, owner);
    expect(world.gateway.stats().billedRequests).toBe(ITEMS);
    const calls = world.gateway.ledger();
    expect(new Set(calls.map(({ key }) => key))).toEqual(new Set(["sk-dem***"]));

    for (const worker of workers) worker.kill("SIGTERM");
    for (const worker of workers) {
      const { code, stderr } = await worker.exit;
      expect([code, stderr]).toEqual([0, expect.stringContaining("worker ended: ")]);
      expect(Number(/(\d+) completed/.exec(stderr)?.[1])).toBeGreaterThan(ITEMS / 10);
    }
    expect(await keysIn(world)).toEqual([
      expect.stringMatching(/^nightshift:\{account:/),
      expect.stringMatching(/^nightshift:\{reviews-.*\}:info$/),
    ]);
  });

  it("an owner that also works shares the run with a worker", async () => {
    await using world = await openWorld();
    const worker = world.start([...WORKER, "--json"]);
    const owner = world.start(["run", "reviews.yaml", "--concurrency", String(CONCURRENCY)]);
    await endsWell(world, owner);
    worker.kill("SIGTERM");
    const { stdout } = await worker.exit;
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string; completed: number });
    const ended = events.findLast(({ event }) => event === "ended");
    expect(ended?.completed).toBeGreaterThan(ITEMS / 10);
    expect(ended?.completed).toBeLessThan(ITEMS);
    expect(world.gateway.stats().billedRequests).toBe(ITEMS);
  });

  it("a worker that comes to an owner who was alone so far gets its share, and nothing is asked twice", async () => {
    const items = 4_500;
    await using world = await openWorld(items);
    // At so many at once an owner who is alone takes several items at a time from the queue.
    const owner = world.start(["run", "reviews.yaml", "--concurrency", "64"]);
    await completed(world, 200);
    const worker = world.start(["worker", "--concurrency", "64", "--json"]);
    await until("it is online", () => worker.stdout.includes('"online"'));
    await endsWell(world, owner, items);
    worker.kill("SIGTERM");
    const { stdout } = await worker.exit;
    const ended = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string; completed: number })
      .findLast(({ event }) => event === "ended");
    expect(ended?.completed).toBeGreaterThan(items / 20);
    expect(world.gateway.stats().billedRequests).toBe(items);
  });

  it("a worker that leaves as soon as it has come is seen by the owner all the same", async () => {
    await using world = await openWorld();
    const owner = world.start(OWNER);
    await until("the run is there", async () => (await world.runs()).length === 1);
    const worker = world.start([...WORKER, "--json"]);
    await until("it has joined", () => worker.stdout.includes('"joined"'));
    const joinedAt = performance.now();
    worker.kill("SIGTERM");
    // The owner, which looks every second, learns so that parcels of several may have been dropped.
    await until("it has gone", async () => !(await keysIn(world)).some(isCard));
    expect(performance.now() - joinedAt).toBeGreaterThan(1_500);
    expect((await worker.exit).code).toBe(0);
    owner.kill("SIGTERM");
    expect((await owner.exit).code).toBe(3);
  });

  it("an owner leaves a worker its share of a run that it could hold alone", async () => {
    const items = 4 * CONCURRENCY;
    await using world = await openWorld(items, { latency: { ttftMs: 1_500 } });
    const worker = world.start([...WORKER, "--json"]);
    await until("it is online", () => worker.stdout.includes('"online"'));
    await endsWell(
      world,
      world.start(["run", "reviews.yaml", "--concurrency", String(CONCURRENCY)]),
      items,
    );
    worker.kill("SIGTERM");
    const { stdout } = await worker.exit;
    const completed = Number(/"event":"ended","completed":(\d+)/.exec(stdout)?.[1]);
    expect(completed).toBeGreaterThanOrEqual(items / 4);
  });

  it("a worker tells that Redis went away, and that it is back", async () => {
    await using world = await openWorld();
    const worker = world.start([...WORKER, "--json"]);
    await until("it is online", () => worker.stdout.includes('"online"'));
    await world.redis?.kill();
    await until("it tells", () => worker.stdout.includes('{"event":"redis_lost"}'));
    await world.redis?.restart();
    await until("it tells", () => /\{"event":"redis_back","seconds":[\d.]+\}/.test(worker.stdout));
    worker.kill("SIGTERM");
    const { code, stderr } = await worker.exit;
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/connection to Redis is lost[^]*Redis is back after [\d.]+ s/),
    ]);
    expect(stderr.match(/Redis is lost/g)).toHaveLength(1);
  });

  it("asks nothing again that workers answered while their owner was dead", async () => {
    await using world = await openWorld();
    const worker = world.start(WORKER);
    const dead = world.start(OWNER);
    await completed(world, 50);
    dead.kill("SIGKILL");
    await dead.exit;
    // What was in the queue is answered without an owner.
    await until(
      "the worker has nothing left",
      () => world.gateway.stats().billedRequests === ITEMS,
    );
    await world.gatewayIsQuiet();
    const recorded = await (await onlyRun(world)).completed();
    expect(recorded).toBeLessThan(ITEMS);

    await endsWell(world, world.start(OWNER));
    expect(world.gateway.stats().billedRequests).toBe(ITEMS);
    worker.kill("SIGTERM");
    expect((await worker.exit).code).toBe(0);
  });

  it("leaves alone what a worker has in hand when the owner is started again", async () => {
    await using world = await openWorld();
    const worker = world.start(WORKER);
    const dead = world.start(OWNER);
    await completed(world, 50);
    dead.kill("SIGKILL");
    await dead.exit;
    await endsWell(world, world.start(OWNER));
    expect(world.gateway.stats().billedRequests).toBe(ITEMS);
    worker.kill("SIGKILL");
  });

  it("refills an emptied Redis, and buys nothing twice that a worker had in hand", async () => {
    await using world = await openWorld();
    world.start(WORKER);
    const owner = world.start(OWNER);
    for (const moment of [100, 300]) {
      await completed(world, moment);
      const redis = world.redis?.connect();
      await redis?.flushall();
      redis?.disconnect();
    }
    await endsWell(world, owner);
    // Outcomes that lay in Redis when it was emptied are lost: at most what was on its way.
    expect(world.gateway.stats().billedRequests - ITEMS).toBeLessThanOrEqual(2 * CONCURRENCY);
  });

  it("buys nothing again that a worker has in hand where Redis was emptied while the owner was dead", async () => {
    const items = 2 * CONCURRENCY;
    await using world = await openWorld(items, { latency: { ttftMs: 6_000 } });
    world.start(WORKER);
    const dead = world.start(OWNER);
    await until("calls are in flight", () => world.gateway.stats().inFlight === CONCURRENCY);
    await until("the owner has seen the worker", async () => {
      return (await (await onlyRun(world)).manifest()).helped === true;
    });
    dead.kill("SIGKILL");
    await dead.exit;
    await world.redis?.kill();
    await world.redis?.restart();
    const owner = world.start(["run", "reviews.yaml", "--concurrency", String(CONCURRENCY)]);
    await endsWell(world, owner, items);
    expect(world.gateway.stats().billedRequests).toBe(items);
  });

  it("a worker that is told to end gives back what it has not called", async () => {
    await using world = await openWorld();
    const first = world.start(WORKER);
    const owner = world.start(OWNER);
    await completed(world, 100);
    first.kill("SIGTERM");
    const { code, stderr } = await first.exit;
    expect([code, stderr]).toEqual([0, expect.stringContaining("worker ended")]);
    const second = world.start([...WORKER, "--once"]);
    await endsWell(world, owner);
    expect((await second.exit).code).toBe(0);
    expect(world.gateway.stats().billedRequests).toBe(ITEMS);
  });

  it("an owner that is told to end waits for what workers have in flight", async () => {
    await using world = await openWorld();
    const worker = world.start(WORKER);
    const owner = world.start(OWNER);
    await completed(world, 100);
    owner.kill("SIGTERM");
    expect((await owner.exit).code).toBe(3);
    await world.gatewayIsQuiet();
    expect(await (await onlyRun(world)).completed()).toBe(world.gateway.stats().billedRequests);
    await endsWell(world, world.start(OWNER));
    expect(world.gateway.stats().billedRequests).toBe(ITEMS);
    worker.kill("SIGKILL");
  });

  it("serves a small run beside a large one", async () => {
    await using world = await openWorld(3_000);
    await world.write("few.csv", reviewsCsv(60));
    const worker = world.start(WORKER);
    const large = world.start(OWNER);
    await completed(world, 100);
    const few = world.start([
      "run",
      "few.csv",
      "--out",
      "few",
      "--no-worker",
      "--model",
      "gpt-4o-mini",
      "--prompt",
      "{{ text }}",
    ]);
    expect((await few.exit).code).toBe(0);
    expect(large.hasEnded).toBe(false);
    worker.kill("SIGKILL");
  });

  it("takes no items of a run that asks another address, and says so once", async () => {
    await using world = await openWorld(20);
    const worker = world.start(WORKER, { NIGHTSHIFT_BASE_URL: `${world.gateway.url}/` });
    const stranger = world.start(WORKER, {
      NIGHTSHIFT_BASE_URL: world.gateway.url.replace("127.0.0.1", "localhost"),
    });
    await until("the stranger is online", () => stranger.stderr.includes("online"));
    worker.kill("SIGSTOP");
    const owner = world.start(OWNER);
    await until("it is told", () => stranger.stderr.includes("takes no items"));
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(stranger.stderr.match(/takes no items/g)).toHaveLength(1);
    expect(world.gateway.stats().billedRequests).toBe(0);
    worker.kill("SIGCONT");
    await endsWell(world, owner, 20);
  });

  it("a worker with a dead key takes nothing, says what to do and exits with 3", async () => {
    await using world = await openWorld(20);
    const { code, stderr } = await world.nightshift(WORKER, { NIGHTSHIFT_API_KEY: "sk-wrong" });
    expect([code, stderr]).toEqual([3, expect.stringContaining("NIGHTSHIFT_API_KEY")]);
  });

  it("an empty balance that a worker finds stops the run, and the owner says what to do", async () => {
    await using world = await openWorld(200);
    const worker = world.start(WORKER, { NIGHTSHIFT_API_KEY: "sk-broke" });
    const owner = world.start(OWNER);
    const { code, stderr } = await owner.exit;
    expect([code, stderr]).toEqual([3, expect.stringContaining("Top up")]);
    expect((await (await onlyRun(world)).manifest()).state).toBe("paused");
    expect(await (await onlyRun(world)).ended()).toEqual([]);
    worker.kill("SIGKILL");
  });

  it("counts what workers answered before the run had a budget, recorded or not", async () => {
    await using world = await openWorld();
    const worker = world.start(WORKER);
    const dead = world.start(OWNER);
    await completed(world, 50);
    dead.kill("SIGKILL");
    await dead.exit;
    await until("more is answered", () => world.gateway.stats().billedRequests >= 300);
    worker.kill("SIGTERM");
    expect((await worker.exit).code).toBe(0);
    const billed = world.gateway.stats().billedRequests;

    const limit = billed + 20;
    const flags = ["--concurrency", String(CONCURRENCY), "--budget-requests", String(limit)];
    const stopped = await world.nightshift(["run", "reviews.yaml", ...flags]);
    expect([stopped.code, stopped.stderr]).toEqual([
      3,
      expect.stringContaining(`${limit} of ${limit} requests`),
    ]);
    expect(world.gateway.stats().billedRequests).toBe(limit);
    expect(await (await onlyRun(world)).completed()).toBe(limit);
  });

  it("refuses --no-worker together with a budget", async () => {
    await using world = await openWorld(20);
    const { code, stderr } = await world.nightshift([...OWNER, "--budget-requests", "100"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("budget")]);
  });

  it("says that no worker is there, and where one would come from", async () => {
    await using world = await openWorld(20);
    const owner = world.start([...OWNER, "--json"]);
    await until("it says so", () =>
      owner.stdout.includes("waiting for workers: start `nightshift worker"),
    );
    world.start(WORKER);
    await endsWell(world, owner, 20);
  });
});
