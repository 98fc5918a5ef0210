import { expect, it } from "vitest";

import { describeOnRedis } from "./support/queues.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const ITEMS = 300;
const DISTINCT = 60;
const JOB = [
  "name: nightly",
  "input: texts.csv",
  "model: gpt-4o-mini",
  'messages: [{ role: user, content: "Classify: {{ text }}" }]',
  "params: { temperature: 0 }",
  "",
].join("\n");
const WORKER = ["worker", "--concurrency", "16"];

function owner(out: string, ...flags: string[]): string[] {
  return ["run", "job.yaml", "--out", out, "--no-worker", ...flags];
}

async function aWorld(): Promise<World> {
  const world = await World.open({ latency: { ttftMs: 20, jitter: 0.3 } }, "redis");
  await world.write("job.yaml", JOB);
  return world;
}

/** Texts one a record, of which many are the same. */
async function texts(world: World, of: (index: number) => string): Promise<void> {
  const rows = upTo(ITEMS).map((index) => `r${index},${of(index)}\n`);
  await world.write("texts.csv", `id,text\n${rows.join("")}`);
}

async function isAnswered(world: World, out: string, of: (index: number) => string): Promise<void> {
  const results = await new RunDirectory(world.path(out)).results();
  expect(
    results
      .toSorted((a, b) => a.index - b.index)
      .map(({ custom_id: id, completion }) => [id, completion]),
  ).toEqual(upTo(ITEMS).map((index) => [`r${index}`, `echo: Classify: ${of(index)}`]));
}

/** What Redis holds of runs that are not over. */
async function leftIn(world: World): Promise<string[]> {
  const redis = world.redis?.connect();
  const keys = (await redis?.keys("nightshift:{nightly-*")) ?? [];
  redis?.disconnect();
  return keys.filter((key) => !key.endsWith(":info"));
}

describeOnRedis(() => {
  it("workers are asked only what is new and unlike all others, night after night", async () => {
    await using world = await aWorld();
    world.start(WORKER);
    const first = (index: number): string => `text ${index % DISTINCT}`;
    await texts(world, first);
    const flags = ["--dedupe", "--incremental"];
    expect((await world.nightshift(owner("runs/one", ...flags))).code).toBe(0);
    expect(world.gateway.stats().billedRequests).toBe(DISTINCT);
    await isAnswered(world, "runs/one", first);

    const second = (index: number): string => (index % 100 === 7 ? "changed" : first(index));
    await texts(world, second);
    expect((await world.nightshift(owner("runs/two", ...flags))).code).toBe(0);
    expect(world.gateway.stats().billedRequests).toBe(DISTINCT + 1);
    await isAnswered(world, "runs/two", second);
    expect(await leftIn(world)).toEqual([]);
  });

  it("asks nothing again that workers answered of a run with identical items while its owner was dead", async () => {
    await using world = await aWorld();
    const of = (index: number): string => `text ${index % DISTINCT}`;
    await texts(world, of);
    const dead = world.start(owner("runs/one", "--dedupe"));
    await until("it is enqueued", async () => (await leftIn(world)).length > DISTINCT);
    dead.kill("SIGKILL");
    await dead.exit;
    world.start(WORKER);
    await until("all is answered", () => world.gateway.stats().billedRequests === DISTINCT);

    expect((await world.nightshift(owner("runs/one", "--dedupe"))).code).toBe(0);
    expect(world.gateway.stats().billedRequests).toBe(DISTINCT);
    await isAnswered(world, "runs/one", of);
  });

  it("leaves nothing of an earlier sitting in Redis where all that was left is carried over", async () => {
    await using world = await aWorld();
    const of = (index: number): string => `text ${index}`;
    await texts(world, of);
    const alone = { NIGHTSHIFT_REDIS_URL: undefined };
    const done = await world.nightshift(
      ["run", "job.yaml", "--out", "runs/one", "--incremental"],
      alone,
    );
    expect(done.code).toBe(0);
    const dead = world.start(owner("runs/two"));
    await until("it is enqueued", async () => (await leftIn(world)).length > ITEMS);
    dead.kill("SIGKILL");
    await dead.exit;

    expect((await world.nightshift(owner("runs/two", "--incremental"))).code).toBe(0);
    expect(world.gateway.stats().billedRequests).toBe(ITEMS);
    await isAnswered(world, "runs/two", of);
    expect(await leftIn(world)).toEqual([]);
    const { in_redis: isLeft } = await new RunDirectory(world.path("runs/two")).manifest();
    expect(isLeft).toBe(false);
  });
});
