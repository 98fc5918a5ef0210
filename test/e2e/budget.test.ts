import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import type { SandboxOptions } from "../../src/sandbox/sandbox.ts";
import { reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { seeded } from "./support/seeded.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const LIMIT = 1_000_000;
const ITEMS = 3_200;
const COMMAND = ["run", "reviews.yaml", "--concurrency", "500"];
const BOUNDED = "params: { max_tokens: 300 }";

/** Reviews of 100 to 1 500 characters. */
function longReviews(count: number): string {
  const random = seeded(20260102);
  const rows = upTo(count).map((index) => {
    const words = 16 + Math.floor(random() * 220);
    return `r${index},Review number ${index}:${" works".repeat(words)}\n`;
  });
  return `review_id,text\n${rows.join("")}`;
}

async function openWorld(
  gateway: SandboxOptions = { latency: { ttftMs: 100, jitter: 0.5 } },
  job = BOUNDED,
  items = ITEMS,
): Promise<World> {
  const world = await World.open(gateway);
  await world.write("reviews.csv", longReviews(items));
  await world.write("reviews.yaml", reviewsJob(job));
  return world;
}

async function theRun(world: World): Promise<RunDirectory> {
  const [path = "", ...others] = await world.runs();
  expect(others).toEqual([]);
  return new RunDirectory(path);
}

async function billedTokens(world: World): Promise<number> {
  await world.gatewayIsQuiet();
  return world.gateway.stats().billedTokens;
}

describe("a budget of a million tokens at 500 calls in flight", () => {
  it("is never crossed, is used up but for three percent, and a larger one finishes the run", async () => {
    await using world = await openWorld();
    // The run begins with fewer calls at once; when it has got to all 500, answers take long.
    world.gateway.script([
      { delayMs: 0, times: 700 },
      { delayMs: 3_000, times: 500 },
    ]);
    const stopped = await world.nightshift([...COMMAND, "--budget-tokens", String(LIMIT)]);
    expect([stopped.code, stopped.stderr]).toEqual([
      3,
      expect.stringMatching(
        /the budget is spent: 9\d\d,\d{3} of 1,000,000 tokens[^]*--budget-tokens 2000000/,
      ),
    ]);
    expect(world.gateway.stats().inFlightMax).toBeGreaterThan(400);
    const billed = await billedTokens(world);
    expect(billed).toBeLessThanOrEqual(LIMIT);
    expect(billed).toBeGreaterThanOrEqual(0.97 * LIMIT);
    const run = await theRun(world);
    expect(await run.manifest()).toMatchObject({ state: "paused", reason: { code: "budget" } });
    expect((await world.nightshift(["verify", run.path])).code).toBe(0);
    expect((await world.nightshift(["status", run.path])).stdout).toMatch(
      /budget +9\d\d,\d{3} of 1,000,000 tokens/,
    );

    const ended = await world.nightshift([...COMMAND, "--budget-tokens", "3000000"]);
    expect([ended.code, ended.stderr]).toEqual([
      0,
      expect.stringMatching(/budget +1,\d{3},\d{3} of 3,000,000 tokens/),
    ]);
    expect(await run.ended()).toEqual(upTo(ITEMS));
  });

  it("is not crossed by what faults leave behind that cost although no answer came", async () => {
    const chaos = {
      "504": 0.04,
      cut: 0.04,
      garbage: 0.04,
      "500": 0.04,
      reset: 0.04,
      nousage: 0.04,
    };
    await using world = await openWorld({ seed: 7, chaos, latency: { ttftMs: 20 } });
    const stopped = await world.nightshift([...COMMAND, "--budget-tokens", String(LIMIT)]);
    expect([stopped.code, stopped.stderr]).toEqual([
      3,
      expect.stringMatching(/the budget is spent[^]*budget .* of it in doubt/),
    ]);
    const billed = await billedTokens(world);
    expect(billed).toBeLessThanOrEqual(LIMIT);
    expect(billed).toBeGreaterThan(0.7 * LIMIT);
  });

  it.each([
    [50, 0.9],
    // What may have been in flight counts in full: more of that is more of the budget.
    [500, 0.5],
  ])("is not crossed by a run of %d at once that is killed three times", async (calls, used) => {
    await using world = await openWorld({ latency: { ttftMs: 20, jitter: 0.5 } });
    const command = [...COMMAND, "--concurrency", String(calls), "--budget-tokens", String(LIMIT)];
    const completed = async (): Promise<number> => {
      const [path] = await world.runs();
      return path === undefined ? 0 : new RunDirectory(path).completed();
    };
    for (const moment of [100, 500, 1_000]) {
      const running = world.start(command);
      await until(`${moment} items are done`, async () => (await completed()) > moment);
      running.kill("SIGKILL");
      await running.exit;
    }
    const run = await theRun(world);
    expect((await world.nightshift(["verify", run.path])).code).toBe(0);
    const stopped = await world.nightshift(command);
    expect([stopped.code, stopped.stderr]).toEqual([
      3,
      expect.stringContaining("the budget is spent"),
    ]);
    const billed = await billedTokens(world);
    expect(billed).toBeLessThanOrEqual(LIMIT);
    expect(billed).toBeGreaterThan(used * LIMIT);

    expect((await world.nightshift([...COMMAND, "--budget-tokens", "4000000"])).code).toBe(0);
    expect(await run.ended()).toEqual(upTo(ITEMS));
  });
});

it("of dollars holds by the sandbox's bill, and `--budget-usd` in the next sitting beats the job's", async () => {
  const pricing = "pricing: { input: 0.15, output: 0.6 }\nlimits: { budget: { usd: 0.05 } }";
  await using world = await openWorld({}, `${BOUNDED}\n${pricing}`, 600);
  const stopped = await world.nightshift(COMMAND);
  expect([stopped.code, stopped.stderr]).toEqual([
    3,
    expect.stringMatching(/0\.04\d+ of 0\.05 USD[^]*--budget-usd 0\.1`/),
  ]);
  const spent = world.gateway.ledger().reduce((sum, { promptTokens, completionTokens, billed }) => {
    return billed ? sum + (promptTokens * 0.15 + completionTokens * 0.6) / 1e6 : sum;
  }, 0);
  expect(spent).toBeLessThanOrEqual(0.05);
  expect(spent).toBeGreaterThan(0.97 * 0.05);
  expect((await world.nightshift([...COMMAND, "--budget-usd", "1"])).code).toBe(0);
});

it("of requests counts every call that was let through, over all sittings", async () => {
  await using world = await openWorld({ seed: 3, chaos: { "500": 0.1 } }, "stream: false", 300);
  expect((await world.nightshift([...COMMAND, "--budget-requests", "100"])).code).toBe(3);
  expect(world.gateway.stats().requests).toBe(100);
  expect((await world.nightshift([...COMMAND, "--budget-requests", "150"])).code).toBe(3);
  expect(world.gateway.stats().requests).toBe(150);
  const ended = await world.nightshift([...COMMAND, "--budget-requests", "1000"]);
  expect([ended.code, (await (await theRun(world)).ended()).length]).toEqual([0, 300]);
});

describe("nothing is called", () => {
  it("where the books of a budget cannot be written, and the run ends as runs do", async () => {
    await using world = await openWorld({}, "stream: false", 30);
    expect((await world.nightshift([...COMMAND, "--budget-requests", "10"])).code).toBe(3);
    const run = await theRun(world);
    // In the way of the file that is to be renamed.
    await mkdir(join(run.path, "budget.jsonl.tmp"));
    const stopped = await world.nightshift([...COMMAND, "--budget-requests", "20", "--json"]);
    const last: unknown = JSON.parse(stopped.stdout.trim().split("\n").at(-1) ?? "");
    expect([stopped.code, last]).toMatchObject([
      3,
      {
        event: "ended",
        state: "paused",
        reason: { code: "disk" },
        budget: { requests: { spent: 10 } },
      },
    ]);
    expect(await run.manifest()).toMatchObject({ state: "paused", reason: { code: "disk" } });
    expect(world.gateway.stats().requests).toBe(10);
  });

  it.each([
    ["tokens without max_tokens", "stream: false", ["--budget-tokens", "5000"], /csv:2: .*max_tok/],
    ["dollars without max_tokens", "stream: false", ["--budget-usd", "5"], /csv:2: .*max_tokens/],
    ["dollars without a price", BOUNDED, ["--budget-usd", "5", "--model", "mine"], /`mine` costs/],
  ])("for a budget of %s: that is an error", async (_what, job, flags, said) => {
    await using world = await openWorld({}, job, 10);
    for (const more of [[], ["--dry-run"]]) {
      const refused = await world.nightshift([...COMMAND, ...flags, ...more]);
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(said)]);
    }
    expect([world.gateway.stats().requests, await world.runs()]).toEqual([0, []]);
  });
});
