import { describe, expect, it } from "vitest";

import { type Line, RunDirectory, upTo } from "./support/run-directory.ts";
import { seeded } from "./support/seeded.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const JOB = [
  "input: texts.csv",
  "model: gpt-4o-mini",
  'messages: [{ role: user, content: "Classify: {{ text }}" }]',
  "params: { temperature: 0 }",
  "dedupe: true",
  "out: run",
  "",
];

/** A world with a job over these texts, one a record. */
async function aWorld(
  texts: readonly string[],
  gateway: Parameters<typeof World.open>[0] = {},
  ...fields: string[]
): Promise<World> {
  const world = await World.open(gateway);
  const rows = texts.map((text, index) => `r${index},${text}\n`);
  await world.write("texts.csv", `id,text\n${rows.join("")}`);
  await world.write("job.yaml", [...fields, ...JOB].join("\n"));
  return world;
}

function sharedWith({ nightshift }: Line): number | undefined {
  return nightshift.shared_with;
}

describe("many items of which few differ", () => {
  const ITEMS = 1_000;
  const DISTINCT = 200;
  const CONCURRENCY = 16;

  it("are asked once each, through faults and a kill, and every one is answered rightly", async () => {
    const random = seeded(7);
    const texts = upTo(ITEMS).map((index) => `text ${index % DISTINCT}`);
    for (let at = ITEMS - 1; at > 0; at -= 1) {
      const other = Math.floor(random() * (at + 1));
      [texts[at], texts[other]] = [texts[other] ?? "", texts[at] ?? ""];
    }
    const chaos = { "500": 0.01, reset: 0.005, error200: 0.005 };
    await using world = await aWorld(texts, { chaos, latency: { ttftMs: 20, jitter: 0.5 } });
    const command = ["run", "job.yaml", "--concurrency", String(CONCURRENCY)];
    const run = new RunDirectory(world.path("run"));

    const killed = world.start(command);
    await until("some are answered", async () => (await run.completed()) >= DISTINCT / 2);
    killed.kill("SIGKILL");
    await killed.exit;
    await world.gatewayIsQuiet();
    const answeredBefore = await run.completed();
    const billedBefore = world.gateway.stats().billedRequests;
    expect(billedBefore - answeredBefore).toBeLessThanOrEqual(CONCURRENCY);

    expect((await world.nightshift(command)).code).toBe(0);
    // Whatever had its answer on disk was not asked again, nor was anything asked twice.
    expect(world.gateway.stats().billedRequests - billedBefore).toBe(DISTINCT - answeredBefore);

    const results = await run.results();
    expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual(upTo(ITEMS));
    expect(
      results.filter(
        ({ index, custom_id: id, completion }) =>
          id !== `r${index}` || completion !== `echo: Classify: ${texts[index]}`,
      ),
    ).toEqual([]);
    const paid = results.filter((line) => sharedWith(line) === undefined);
    expect(new Set(paid.map(({ index }) => texts[index])).size).toBe(DISTINCT);
    expect(paid).toHaveLength(DISTINCT);
    expect((await world.nightshift(["verify", "run"])).code).toBe(0);

    const usage = await run.usage();
    const tokens = paid.map(({ response }) => {
      const body = response?.body as { usage: { total_tokens: number } } | undefined;
      return body?.usage.total_tokens ?? 0;
    });
    expect(usage.usage.total_tokens).toBe(tokens.reduce((sum, count) => sum + count, 0));
    expect(usage.items).toMatchObject({ completed: ITEMS, failed: 0 });
    expect(usage.reused.shared).toBe(ITEMS - DISTINCT);
    const status = await world.nightshift(["status", "run", "--json"]);
    expect(JSON.parse(status.stdout)).toMatchObject({ usage: { reused: usage.reused } });
    const [header = "", ...rows] = (await run.text("output.csv")).trim().split("\n");
    expect(header).toMatch(/,error,reused$/);
    expect(rows.filter((row) => row.endsWith(",shared"))).toHaveLength(ITEMS - DISTINCT);
  });
});

describe("where the item that asks fails", () => {
  it("the next has its turn, and its answer serves the rest and a later retry", async () => {
    const texts = upTo(6).map(() => "same [[fault:nochoicesx2]]");
    await using world = await aWorld([...texts, "other"], {}, "retry: { attempts: 1 }");
    const run = new RunDirectory(world.path("run"));
    expect((await world.nightshift(["run", "job.yaml"])).code).toBe(2);
    expect((await run.errors()).map(({ index }) => index)).toEqual([0, 1]);
    const results = await run.results();
    expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6]);
    expect(results.filter(({ index }) => index > 2 && index < 6).map(sharedWith)).toEqual([
      2, 2, 2,
    ]);
    expect((await world.nightshift(["verify", "run"])).code).toBe(0);
    const calls = world.gateway.stats().requests;

    const retried = await world.nightshift(["retry", "run"]);
    expect([retried.code, world.gateway.stats().requests]).toEqual([0, calls]);
    expect((await run.results()).filter(({ index }) => index < 2).map(sharedWith)).toEqual([2, 2]);
    expect((await world.nightshift(["verify", "run"])).code).toBe(0);
  });

  it("and the request is at fault, a second refusal is everybody's", async () => {
    await using world = await aWorld([...upTo(300).map(() => "bad [[fault:context]]"), "good"]);
    const run = new RunDirectory(world.path("run"));
    expect((await world.nightshift(["run", "job.yaml"])).code).toBe(2);
    expect(world.gateway.stats().requests).toBe(3);
    const errors = await run.errors();
    expect(errors).toHaveLength(300);
    expect(errors.filter((line) => sharedWith(line) === undefined)).toHaveLength(2);
    expect(errors[299]).toMatchObject({ nightshift: { class: "item", attempts: 0 } });
    expect((await world.nightshift(["verify", "run"])).code).toBe(0);
  });
});

it("may be switched on and off between sittings", async () => {
  await using world = await aWorld(upTo(40).map((index) => `text ${index % 4}`));
  const calls = async (...flags: string[]): Promise<number> => {
    const before = world.gateway.stats().requests;
    await world.nightshift(["run", "job.yaml", ...flags]);
    return world.gateway.stats().requests - before;
  };
  expect(await calls("--first", "6", "--no-dedupe")).toBe(6);
  // Answers of an earlier sitting serve, whether or not they were meant to.
  expect(await calls("--first", "20")).toBe(0);
  expect(await calls("--first", "30", "--no-dedupe")).toBe(10);
  expect(await calls()).toBe(0);
  const run = new RunDirectory(world.path("run"));
  expect(await run.ended()).toEqual(upTo(40));
  expect((await run.usage()).reused.shared).toBe(24);
  expect((await world.nightshift(["verify", "run"])).code).toBe(0);
});

it("is told before and after", async () => {
  await using world = await aWorld(upTo(10).map((index) => `text ${index % 2}`));
  const dry = await world.nightshift(["run", "job.yaml", "--dry-run"]);
  expect(dry.stdout).toMatch(
    /to ask\s+2 new\n\s*not to ask\s+0 carried over .*, 8 shared within this run\n\s*saves\s+about \d+ prompt tokens/,
  );
  const { stderr, stdout } = await world.nightshift(["run", "job.yaml", "--json"]);
  expect(stderr).toMatch(/not asked\s+8 shared within this run\n\s*saved\s+\d+ tokens/);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string });
  expect(events.at(-1)).toMatchObject({ event: "ended", usage: { reused: { shared: 8 } } });
  expect(world.gateway.stats().requests).toBe(2);

  const warm = await world.nightshift(["run", "job.yaml", "--param", "temperature=1", "--dry-run"]);
  expect(warm.stderr).toContain("warning: dedupe: 8 items share the answer of another");
});
