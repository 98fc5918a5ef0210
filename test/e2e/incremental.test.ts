import { appendFile, readdir, rm, truncate } from "node:fs/promises";

import { describe, expect, it } from "vitest";

import { RunDirectory, upTo } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const JOB = [
  "name: nightly",
  "input: texts.csv",
  "model: gpt-4o-mini",
  'messages: [{ role: user, content: "Classify: {{ text }}" }]',
  "incremental: true",
  "",
].join("\n");

/** A world with a nightly job; each night has texts by id. */
class Nights implements AsyncDisposable {
  readonly world: World;
  #nights = 0;

  private constructor(world: World) {
    this.world = world;
  }

  static async open(gateway: Parameters<typeof World.open>[0] = {}): Promise<Nights> {
    const world = await World.open(gateway);
    await world.write("job.yaml", JOB);
    return new Nights(world);
  }

  async input(texts: ReadonlyMap<string, string>): Promise<void> {
    const rows = [...texts].map(([id, text]) => `${id},${text}\n`);
    await this.world.write("texts.csv", `id,text\n${rows.join("")}`);
  }

  /** Runs the job in a directory of its own, and says what was called. */
  async run(
    texts: ReadonlyMap<string, string>,
    ...flags: string[]
  ): Promise<{ code: number | null; calls: number; stderr: string; run: RunDirectory }> {
    await this.input(texts);
    this.#nights += 1;
    const out = `runs/night-${this.#nights}`;
    const before = this.world.gateway.stats().requests;
    const { code, stderr } = await this.world.nightshift([
      "run",
      "job.yaml",
      "--out",
      out,
      ...flags,
    ]);
    const run = new RunDirectory(this.world.path(out));
    return { code, calls: this.world.gateway.stats().requests - before, stderr, run };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

function someTexts(count: number): Map<string, string> {
  return new Map(upTo(count).map((at) => [`r${at}`, `text ${at}`]));
}

async function expectAllAnswered(run: RunDirectory, texts: Map<string, string>): Promise<void> {
  const results = await run.results();
  expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual(upTo(texts.size));
  const ids = [...texts.keys()];
  for (const { index, custom_id: id, completion } of results) {
    expect([id, completion]).toEqual([ids[index], `echo: Classify: ${texts.get(id)}`]);
  }
}

describe("the second night", () => {
  it("asks what is new or changed, carries over the rest and counts what vanished", async () => {
    await using nights = await Nights.open();
    const texts = someTexts(300);
    const first = await nights.run(texts);
    expect([first.code, first.calls]).toEqual([0, 300]);
    const { run_id: firstRun } = await first.run.manifest();

    for (const at of [7, 100, 299]) texts.set(`r${at}`, `changed ${at}`);
    for (const at of [1, 2, 3, 4, 5]) texts.delete(`r${at}`);
    texts.set("new-1", "something new").set("new-2", "something else");
    await nights.input(texts);
    const dry = await nights.world.nightshift(["run", "job.yaml", "--dry-run"]);
    expect(dry.stdout).toMatch(/to ask\s+5 new\n\s*not to ask\s+292 carried over/);
    expect(dry.stdout).toMatch(/vanished\s+5 items of the run before/);

    const second = await nights.run(texts);
    expect([second.code, second.calls]).toEqual([0, 5]);
    expect(second.stderr).toMatch(/not asked\s+292 carried over from earlier runs/);
    expect(second.stderr).toMatch(/vanished\s+5 items of the run before/);
    expect(second.stderr).not.toMatch(/sqlite|experimental/i);
    await expectAllAnswered(second.run, texts);
    expect((await nights.world.nightshift(["verify", second.run.path])).code).toBe(0);
    const carried = (await second.run.results()).filter(
      ({ nightshift: note }) => note.carried_over_from === firstRun,
    );
    expect(carried).toHaveLength(292);
    expect(carried.every(({ nightshift: note }) => note.attempts === 0)).toBe(true);
    const usage = await second.run.usage();
    expect(usage).toMatchObject({
      items: { completed: 297 },
      models: { "gpt-4o-mini": { items: 5 } },
      reused: { carried_over: 292, shared: 0 },
      vanished: 5,
      attempts: 5,
    });
    expect(usage.reused.saved_tokens).toBeGreaterThan(usage.usage.total_tokens);
    const [header = "", ...rows] = (await second.run.text("output.csv")).trim().split("\n");
    expect(header).toMatch(/,error,reused$/);
    expect(rows.filter((row) => row.endsWith(",carried_over"))).toHaveLength(292);
    const status = await nights.world.nightshift(["status", second.run.path, "--json"]);
    expect(JSON.parse(status.stdout)).toMatchObject({
      usage: { reused: usage.reused, vanished: 5 },
    });
  });

  it("needs neither the first run nor its index: each run holds all of its answers", async () => {
    await using nights = await Nights.open();
    const texts = someTexts(40);
    const first = await nights.run(texts);
    const { run_id: paid } = await first.run.manifest();
    const second = await nights.run(texts);
    expect([second.code, second.calls]).toEqual([0, 0]);
    await rm(first.run.path, { recursive: true });
    const third = await nights.run(texts);
    expect(third.calls).toBe(0);
    await expectAllAnswered(third.run, texts);
    // However often it was carried over: the run that paid.
    const [line] = await third.run.results();
    expect(line?.nightshift.carried_over_from).toBe(paid);

    const index = nights.world.path("runs/.nightshift");
    const [file = ""] = await readdir(index);
    await truncate(`${index}/${file}`, 4_500);
    expect((await nights.run(texts)).calls).toBe(0);

    expect((await nights.world.nightshift(["clean", "--keep-last", "1"])).code).toBe(0);
    expect(await readdir(nights.world.path("runs"))).toHaveLength(2);
    expect((await nights.run(texts)).calls).toBe(0);
    await rm(index, { recursive: true });
    expect((await nights.run(texts)).calls).toBe(0);
  });

  it("asks failed items again, and everything where it is told to", async () => {
    await using nights = await Nights.open();
    const texts = someTexts(10).set("bad", "bad [[fault:context]]");
    expect((await nights.run(texts)).code).toBe(2);
    const second = await nights.run(texts);
    expect([second.code, second.calls]).toEqual([2, 1]);
    expect((await nights.run(texts, "--no-incremental")).calls).toBe(11);
  });

  it("shares what is new and the same, where it is told to", async () => {
    await using nights = await Nights.open();
    const texts = someTexts(10);
    await nights.run(texts);
    for (const at of upTo(6)) texts.set(`same-${at}`, "all the same");
    const second = await nights.run(texts, "--dedupe");
    expect(second.calls).toBe(1);
    await expectAllAnswered(second.run, texts);
    expect((await second.run.usage()).reused).toMatchObject({ carried_over: 10, shared: 5 });
  });
});

it("does not take the answers of another gateway, model or job for its own", async () => {
  await using nights = await Nights.open();
  await using other = await World.open();
  const texts = someTexts(5);
  await nights.run(texts);
  await nights.run(texts, "--base-url", other.gateway.url);
  expect(other.gateway.stats().requests).toBe(5);
  expect((await nights.run(texts, "--model", "gpt-4o")).calls).toBe(5);
  await nights.world.write("job.yaml", JOB.replace("nightly", "another"));
  expect((await nights.run(texts)).calls).toBe(5);
});

it("does not take a cut answer where those are to fail", async () => {
  await using nights = await Nights.open();
  const texts = someTexts(3).set("long", "long [[fault:lengthx1]]");
  expect((await nights.run(texts)).calls).toBe(4);
  expect((await nights.run(texts)).calls).toBe(0);
  await nights.world.write("job.yaml", `${JOB}on_length: fail\n`);
  expect((await nights.run(texts)).calls).toBe(1);
});

it("goes on after a kill, wherever that comes", async () => {
  await using nights = await Nights.open({ latency: { ttftMs: 20 } });
  const texts = someTexts(3_000);
  const first = await nights.run(texts);
  expect(first.calls).toBe(3_000);
  for (const at of upTo(400)) texts.set(`r${at * 5}`, `changed ${at}`);
  await nights.input(texts);
  const before = nights.world.gateway.stats().billedRequests;
  const run = new RunDirectory(nights.world.path("runs/killed"));
  const command = ["run", "job.yaml", "--out", "runs/killed", "--concurrency", "8"];
  for (const moment of [1, 1_500, 2_650, 2_800]) {
    const running = nights.world.start(command);
    await until(`${moment} are there`, async () => (await run.completed()) >= moment);
    running.kill("SIGKILL");
    await running.exit;
  }
  await appendFile(`${run.path}/results.jsonl`, '{"id":"batch_req_torn');
  expect((await nights.world.nightshift(command)).code).toBe(0);
  expect((await nights.world.nightshift(["verify", run.path])).code).toBe(0);
  await expectAllAnswered(run, texts);
  await nights.world.gatewayIsQuiet();
  const bought = nights.world.gateway.stats().billedRequests - before;
  expect(bought).toBeGreaterThanOrEqual(400);
  expect(bought).toBeLessThanOrEqual(400 + 4 * 8);
  expect((await run.usage()).reused.carried_over).toBe(2_600);
});
