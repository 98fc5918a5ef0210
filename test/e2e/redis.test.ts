import { readFile } from "node:fs/promises";

import { describe, expect, it } from "vitest";

import { hasRedisServer } from "./support/redis-server.ts";
import { reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const ITEMS = 60;
const COMMAND = ["run", "reviews.yaml", "--out", "run", "--json"];

async function openWorld(ttftMs = 0): Promise<World> {
  const world = await World.open({ latency: { ttftMs } }, "redis");
  await world.write("reviews.csv", reviewsCsv(ITEMS));
  await world.write("reviews.yaml", reviewsJob());
  return world;
}

/** The rights that docs/redis.md asks for, given to a user of this password on this prefix. */
async function setUser(world: World, password: string, prefix: string): Promise<void> {
  const page = await readFile("docs/redis.md", "utf8");
  const [, rights = ""] = /^ACL SETUSER nightshift (on [^`]+)/m.exec(page) ?? [];
  const line = rights.replace(">PASSWORD", `>${password}`).replace("~nightshift:", `~${prefix}:`);
  const redis = world.redis?.connect();
  await redis?.call("ACL", "SETUSER", "nightshift", "resetpass", ...line.trim().split(/\s+/));
  redis?.disconnect();
}

const title = hasRedisServer ? "" : " (skipped: this machine has no redis-server)";
describe.skipIf(!hasRedisServer)(`a run on a shared Redis${title}`, () => {
  it("needs no more rights than the documentation asks for, and leaves other keys alone", async () => {
    await using world = await openWorld();
    await setUser(world, "p4ss:w0rd", "team-a");
    const address = world.redis?.address.replace("unix://", "unix://nightshift:p4ss%3Aw0rd@");
    const { code, stdout, stderr } = await world.nightshift(COMMAND, {
      NIGHTSHIFT_REDIS_URL: `${address}?db=2`,
      NIGHTSHIFT_REDIS_PREFIX: "team-a",
    });
    expect([code, stderr]).toEqual([0, expect.not.stringContaining("w0rd")]);
    expect(stdout).not.toContain("w0rd");

    const redis = world.redis?.connect();
    await redis?.select(2);
    expect(await redis?.keys("*")).toEqual([expect.stringMatching(/^team-a:.*share$/)]);
    // A server that may not be asked for its settings is taken as it is.
    expect(await refusals(world)).toEqual(["config|get"]);
    redis?.disconnect();
    expect(await new RunDirectory(world.path("run")).completed()).toBe(ITEMS);
  });

  it("needs no more rights for workers and for steering runs from elsewhere", async () => {
    await using world = await openWorld(30);
    await setUser(world, "p4ss", "nightshift");
    const NIGHTSHIFT_REDIS_URL = world.redis?.address.replace("unix://", "unix://nightshift:p4ss@");
    const as = { NIGHTSHIFT_REDIS_URL };
    const worker = world.start(["worker", "--concurrency", "2"], as);
    const owner = world.start([...COMMAND, "--no-worker"], as);
    await until("some items are done", () => completed(world, 4));
    const { run_id: runId } = await new RunDirectory(world.path("run")).manifest();
    expect((await world.nightshift(["pause", runId], as)).code).toBe(0);
    expect((await world.nightshift(["status", "--json"], as)).code).toBe(0);
    expect((await world.nightshift(["resume", runId], as)).code).toBe(0);
    expect((await owner.exit).code).toBe(0);
    worker.kill("SIGTERM");
    expect((await worker.exit).code).toBe(0);
    expect(await refusals(world)).toEqual(["config|get"]);
  });

  it("says when Redis goes away and when it is back, to people and to programs", async () => {
    await using world = await openWorld(150);
    const running = world.start([...COMMAND, "--concurrency", "4"]);
    await until("some items are done", () => completed(world, 4));
    await world.redis?.kill();
    await until("the loss is told", () => running.stderr.includes("connection to Redis is lost"));
    await world.redis?.restart();
    const { code, stdout, stderr } = await running.exit;

    expect([code, stderr]).toEqual([0, expect.stringMatching(/Redis is back after [\d.]+ s/)]);
    const events = stdout.split("\n").filter((line) => line.includes('"redis_'));
    expect(events.map((line) => JSON.parse(line) as unknown)).toEqual([
      { event: "redis_lost" },
      { event: "redis_back", seconds: expect.any(Number) as number },
    ]);
  });

  it("says why Redis refuses to let it in again", async () => {
    await using world = await openWorld(150);
    await setUser(world, "old", "nightshift");
    const address = world.redis?.address.replace("unix://", "unix://nightshift:old@");
    const running = world.start([...COMMAND, "--concurrency", "4"], {
      NIGHTSHIFT_REDIS_URL: address,
    });
    await until("some items are done", () => completed(world, 4));
    const redis = world.redis?.connect();
    await redis?.call("ACL", "SETUSER", "nightshift", "resetpass", ">new");
    await redis?.call("CLIENT", "KILL", "USER", "nightshift");
    await until("the refusal is told", () => running.stderr.includes("WRONGPASS"));
    await redis?.call("ACL", "SETUSER", "nightshift", "resetpass", ">old");
    redis?.disconnect();
    expect((await running.exit).code).toBe(0);
  });

  it("warns once, and goes on, when Redis may throw items away", async () => {
    await using world = await openWorld();
    const redis = world.redis?.connect();
    await redis?.config("SET", "maxmemory-policy", "allkeys-lru");
    redis?.disconnect();
    const { code, stderr } = await world.nightshift(COMMAND);
    expect(code).toBe(0);
    expect(stderr.match(/allkeys-lru|Eviction/g)).toEqual(["allkeys-lru"]);
  });
});

/** What Redis refused to do, each once. */
async function refusals(world: World): Promise<string[]> {
  const redis = world.redis?.connect();
  const log = JSON.stringify((await redis?.acl("LOG")) ?? []);
  redis?.disconnect();
  return [...new Set([...log.matchAll(/"object","([^"]+)"/g)].map(([, command = ""]) => command))];
}

async function completed(world: World, count: number): Promise<boolean> {
  return (await new RunDirectory(world.path("run")).completed()) >= count;
}
