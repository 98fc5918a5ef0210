import { readdir } from "node:fs/promises";

import { expect, it } from "vitest";

import type { SchedulerEvent } from "../../src/run/scheduler/events.ts";
import type { Running } from "./support/process.ts";
import { describeOnEachQueue } from "./support/queues.ts";
import { mispaired, reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const ITEMS = 20;
const EVERY_SECOND = 'schedule: { cron: "* * * * * *", tz: Europe/Berlin }';

async function openWorld(schedule: string, ...more: Parameters<typeof World.open>): Promise<World> {
  const world = await World.open(...more);
  await world.write("jobs/reviews.csv", reviewsCsv(ITEMS));
  await world.write("jobs/nightly.yaml", reviewsJob(schedule));
  return world;
}

function eventsOf({ stdout }: Pick<Running, "stdout">): SchedulerEvent[] {
  const lines = stdout.split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as SchedulerEvent);
}

function of<K extends SchedulerEvent["event"]>(running: Pick<Running, "stdout">, kind: K) {
  return eventsOf(running).filter(
    (event): event is Extract<SchedulerEvent, { event: K }> => event.event === kind,
  );
}

async function runsOf(world: World): Promise<RunDirectory[]> {
  const names = await readdir(world.path("runs"));
  return names
    .filter((name) => !name.startsWith("."))
    .sort()
    .map((name) => new RunDirectory(world.path(`runs/${name}`)));
}

it("runs each tick once in a whole directory of its own, none overlapping, and exits 0 at SIGTERM", async () => {
  await using world = await openWorld(EVERY_SECOND);
  const running = world.start(["scheduler", "jobs", "--json"]);
  await until("four runs have ended", () => of(running, "run_ended").length >= 4);
  running.kill("SIGTERM");
  expect((await running.exit).code).toBe(0);

  const ticks: string[] = [];
  let lastEnd = 0;
  for (const run of await runsOf(world)) {
    const { state, schedule, sittings } = await run.manifest();
    expect([state, schedule?.job_file]).toEqual(["finished", "jobs/nightly.yaml"]);
    expect(await run.ended()).toEqual(upTo(ITEMS));
    expect(mispaired(await run.results())).toEqual([]);
    const [sitting] = sittings;
    expect(Date.parse(sitting?.started_at ?? "")).toBeGreaterThanOrEqual(lastEnd);
    lastEnd = Date.parse(sitting?.ended_at ?? "");
    ticks.push(schedule?.tick ?? "");
  }
  expect(new Set(ticks).size).toBe(ticks.length);
  expect(world.gateway.stats().billedRequests).toBe(ticks.length * ITEMS);
});

describeOnEachQueue((queue) => {
  it("two schedulers fire each tick once", async () => {
    await using world = await openWorld(EVERY_SECOND, {}, queue);
    // On a shared Redis each has a disk of its own, but for the job.
    const places = queue === "redis" ? ["a", "b"] : [".", "."];
    for (const place of places) {
      await world.write(`${place}/jobs/reviews.csv`, reviewsCsv(ITEMS));
      const out = `${place === "." ? ".." : `../../${place}`}/runs/{{ name }}-{{ date }}-{{ time }}`;
      await world.write(`${place}/jobs/nightly.yaml`, reviewsJob(EVERY_SECOND, `out: "${out}"`));
    }
    const both = places.map((place) => world.start(["scheduler", `${place}/jobs`, "--json"]));
    await until(
      "six runs have ended",
      () => both.flatMap((one) => of(one, "run_ended")).length >= 6,
    );
    for (const one of both) one.kill("SIGTERM");
    for (const one of both) expect((await one.exit).code).toBe(0);

    const fired = both.flatMap((one) => of(one, "fired").map(({ tick }) => tick));
    expect(new Set(fired).size).toBe(fired.length);
    // Whatever was due in between was fired by one, or told by one.
    const told = new Set(both.flatMap((one) => of(one, "skipped").map(({ to }) => to)));
    const times = fired.map((tick) => Date.parse(tick)).sort((a, b) => a - b);
    for (let tick = times[0] ?? 0; tick < (times.at(-1) ?? 0); tick += 1_000) {
      expect(times.includes(tick) || told.has(new Date(tick).toISOString())).toBe(true);
    }
    expect(world.gateway.stats().billedRequests).toBe(fired.length * ITEMS);
  });
});

it("goes on with a run that a SIGTERM or a kill -9 broke off", async () => {
  await using world = await openWorld('schedule: { cron: "*/2 * * * * *", tz: UTC }');
  world.gateway.script([
    { delayMs: 1, times: 5 },
    { delayMs: 2_000, times: 15 },
    { delayMs: 1, times: 10 },
    { delayMs: 60_000, times: 5 },
  ]);
  const command = ["scheduler", "jobs/nightly.yaml", "--json"];
  /** The others are recorded: they are not asked again. */
  const hanging = (calls: number) =>
    until(`${calls} calls hang`, async () => {
      const [run] = await runsOf(world).catch(() => []);
      const recorded = (await run?.completed()) ?? 0;
      return recorded === ITEMS - calls && world.gateway.stats().inFlight === calls;
    });
  const first = world.start(command);
  await hanging(15);
  first.kill("SIGKILL");
  await first.exit;
  await world.gatewayIsQuiet();

  const second = world.start(command);
  await hanging(5);
  expect(of(second, "fired")[0]).toMatchObject({ continued: true });
  second.kill("SIGKILL");
  await second.exit;

  const third = world.start(command);
  await until("a run has ended", () => of(third, "run_ended").length >= 2);
  third.kill("SIGTERM");
  expect((await third.exit).code).toBe(0);
  const [run] = await runsOf(world);
  expect(await run?.ended()).toEqual(upTo(ITEMS));
  expect((await run?.manifest())?.state).toBe("finished");
});

it("takes up a changed file, and keeps the last good form of a broken one", async () => {
  await using world = await openWorld(EVERY_SECOND);
  const running = world.start(["scheduler", "jobs", "--json"]);
  await until("a run has ended", () => of(running, "run_ended").length >= 1);
  await world.write("jobs/nightly.yaml", reviewsJob('schedule: { cron: "0 0 30 2 *" }'));
  await until("it says so", () => of(running, "job_broken").length === 1);
  const before = of(running, "run_ended").length;
  await until("runs go on", () => of(running, "run_ended").length > before);
  await world.write("jobs/nightly.yaml", reviewsJob(EVERY_SECOND, "name: renamed"));
  await until("the new name runs", () => of(running, "fired").some(({ job }) => job === "renamed"));
  running.kill("SIGTERM");
  expect((await running.exit).code).toBe(0);
});

it("tells at the start what it missed, and schedule list and next show it", async () => {
  await using world = await openWorld('schedule: { cron: "* * * * * *", tz: UTC, catch_up: once }');
  const first = world.start(["scheduler", "jobs", "--json"]);
  await until("a run has ended", () => of(first, "run_ended").length >= 1);
  first.kill("SIGTERM");
  await first.exit;
  await new Promise((later) => setTimeout(later, 2_500));
  const second = world.start(["scheduler", "jobs", "--json"]);
  await until("it has run", () => of(second, "run_ended").length >= 1);
  second.kill("SIGTERM");
  await second.exit;
  expect(of(second, "skipped")[0]).toMatchObject({ reason: "made_up" });

  const list = await world.nightshift(["schedule", "list", "--json"]);
  expect(JSON.parse(list.stdout)).toMatchObject({
    job: "nightly",
    cron: "* * * * * *",
    last: { state: "finished", completed: ITEMS, failed: 0 },
  });
  const text = await world.nightshift(["schedule", "list"]);
  expect(text.stdout).toMatch(/nightly {2}\* \* \* \* \* \* UTC .* finished/);
  const next = await world.nightshift(["schedule", "next"]);
  expect(
    next.stdout.match(/^ {2}\w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC {3}\S+Z$/gm),
  ).toHaveLength(3);
});

it("schedule run fires a job now, in a directory of its own", async () => {
  await using world = await openWorld('schedule: { cron: "0 2 * * *", tz: UTC }');
  const done = await world.nightshift(["schedule", "run", "jobs/nightly.yaml", "--quiet"]);
  expect(done.code).toBe(0);
  const [run] = await runsOf(world);
  expect(await run?.ended()).toEqual(upTo(ITEMS));
  expect((await run?.manifest())?.schedule).toMatchObject({ by_hand: true });
  const none = await world.nightshift(["schedule", "run", "jobs/none.yaml"]);
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("no such job file")]);
});

it("refuses to start where there is nothing to follow", async () => {
  await using world = await openWorld("");
  const done = await world.nightshift(["scheduler", "jobs"]);
  expect([done.code, done.stderr]).toEqual([1, expect.stringContaining("has a schedule")]);
});
