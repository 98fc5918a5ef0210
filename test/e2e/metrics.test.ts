import { createServer } from "node:http";

import { expect, it } from "vitest";

import { Scrape } from "../fakes/exposition-parser.ts";
import type { Running } from "./support/process.ts";
import { describeOnEachQueue, describeOnRedis, type QueueKind } from "./support/queues.ts";
import { reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const ITEMS = 80;
const LAST = ITEMS - 1;
const COMMAND = ["run", "reviews.yaml", "--out", "run", "--json", "--metrics-port", "0"];

async function openWorld(queue: QueueKind = "embedded"): Promise<World> {
  const world = await World.open({}, queue);
  await world.write("reviews.csv", reviewsCsv(ITEMS));
  await world.write("reviews.yaml", reviewsJob());
  return world;
}

/** Where a run serves its metrics, as soon as it says so. */
async function urlOf(running: Running): Promise<string> {
  const url = (): string | undefined =>
    /"event":"metrics","url":"([^"]+)"/.exec(running.stdout)?.[1];
  await until("the address of the metrics is told", () => url() !== undefined);
  return url() ?? "";
}

async function scrape(url: string): Promise<Scrape> {
  return new Scrape(await (await fetch(`${url}/metrics`)).text());
}

describeOnEachQueue((queue) => {
  it("counts in /metrics what is in usage.json at the end", async () => {
    await using world = await openWorld(queue);
    world.gateway.script([
      { match: "number 7:", fault: "context" },
      { match: "number 9:", status: 500, body: "{}" },
      // The run must last until it has been looked at.
      { match: `number ${LAST}:`, times: 1, delayMs: 2_500 },
    ]);
    const running = world.start(COMMAND);
    const url = await urlOf(running);
    await until("all but the last item are recorded", async () => {
      return (await scrape(url)).sum("nightshift_items_total") === LAST;
    });
    const seen = await scrape(url);
    const ready = await fetch(`${url}/readyz`);
    expect((await running.exit).code).toBe(2);

    const run = new RunDirectory(world.path("run"));
    const { usage, items, cost_usd: cost, attempts } = await run.usage();
    const last = (await run.results()).find(({ index }) => index === LAST);
    const spent =
      (last?.response?.body as { usage?: Record<string, number> } | undefined)?.usage ?? {};
    const labels = { run: (await run.manifest()).run_id, model: "gpt-4o-mini" };
    const tokens = (kind: string) => seen.value("nightshift_tokens_total", { ...labels, kind });
    expect([ready.status, items.completed, items.failed]).toEqual([200, LAST, 1]);
    expect({
      completed: seen.value("nightshift_items_total", { ...labels, outcome: "completed" }),
      failed: seen.value("nightshift_items_total", { ...labels, outcome: "failed" }),
      prompt: tokens("prompt"),
      completion: tokens("completion"),
      answered: seen.value("nightshift_attempts_total", { ...labels, class: "completed" }),
      again: seen.value("nightshift_attempts_total", { ...labels, class: "retry" }),
      refused: seen.value("nightshift_attempts_total", { ...labels, class: "fail-item" }),
      attempts: seen.sum("nightshift_attempts_total"),
      latencies: seen.value("nightshift_call_duration_seconds_count", labels),
      inFlight: seen.value("nightshift_calls_in_flight", { run: labels.run }),
      inHand: seen.value("nightshift_queue_items", { run: labels.run, state: "in_hand" }),
      waiting: seen.value("nightshift_queue_items", { run: labels.run, state: "waiting" }),
      redis: seen.value("nightshift_redis_connected"),
    }).toEqual({
      completed: items.completed - 1,
      failed: items.failed,
      prompt: usage.prompt_tokens - (spent["prompt_tokens"] ?? NaN),
      completion: usage.completion_tokens - (spent["completion_tokens"] ?? NaN),
      answered: items.completed - 1,
      again: 1,
      refused: 1,
      attempts: attempts - 1,
      latencies: items.completed - 1,
      inFlight: 1,
      inHand: 1,
      waiting: 0,
      redis: 1,
    });
    const [allButOne, all] = [seen.sum("nightshift_cost_usd_total"), cost ?? NaN];
    expect(all - allButOne).toBeGreaterThan(0);
    expect(all - allButOne).toBeLessThan(all / 20);
  });
});

it("is not ready any more when it was told to stop, and lives on until it has", async () => {
  await using world = await openWorld();
  world.gateway.script([{ times: 999, delayMs: 1_500 }]);
  const running = world.start([...COMMAND, "--concurrency", "2"]);
  const url = await urlOf(running);
  await until("calls are in flight", () => world.gateway.stats().inFlight > 0);
  running.kill("SIGTERM");
  await until("it says that it stops", async () => (await fetch(`${url}/readyz`)).status === 503);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await running.exit).code).toBe(3);
});

it("calls nothing when the port is taken, and says what to do", async () => {
  await using world = await openWorld();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const command = ["run", "reviews.yaml", "--metrics-port", String(port)];
  const { code, stderr } = await world.nightshift(command);
  other.close();
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining(`port ${port} on 127.0.0.1 is taken`),
  ]);
  expect(world.gateway.stats().requests).toBe(0);
  expect(await world.runs()).toEqual([]);
});

describeOnRedis(() => {
  it("counts a worker's calls at the worker, and what is recorded at the owner", async () => {
    await using world = await openWorld("redis");
    world.gateway.script([{ match: `number ${LAST}:`, times: 1, delayMs: 2_500 }]);
    const worker = world.start(["worker", "--json", "--metrics-port", "0"]);
    const owner = world.start([...COMMAND, "--no-worker"]);
    const [workerUrl, ownerUrl] = [await urlOf(worker), await urlOf(owner)];
    const seen = async (url: string, name: string) => (await scrape(url)).sum(name);
    await until("all but the last item are recorded", async () => {
      return (await seen(ownerUrl, "nightshift_items_total")) === LAST;
    });
    const names = ["items_total", "attempts_total", "calls_in_flight", "cost_usd_total"];
    const all = async (url: string) => {
      return Promise.all(names.map((name) => seen(url, `nightshift_${name}`)));
    };
    expect(await all(workerUrl)).toEqual([LAST, LAST, 1, 0]);
    expect(await all(ownerUrl)).toEqual([LAST, 0, 0, expect.closeTo(0.0009, 2)]);
    expect((await fetch(`${workerUrl}/readyz`)).status).toBe(200);
    expect((await owner.exit).code).toBe(0);
    worker.kill("SIGTERM");
    expect((await worker.exit).code).toBe(0);
  });
});
