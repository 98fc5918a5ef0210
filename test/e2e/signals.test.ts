import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { describeOnEachQueue, type QueueKind } from "./support/queues.ts";
import { mispaired, reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { CLI, World } from "./support/world.ts";

/** Runs a command in a terminal of its own (util-linux). */
const SCRIPT = "/usr/bin/script";
const ITEMS = 400;
const CONCURRENCY = 16;
const COMMAND = ["run", "reviews.yaml", "--out", "run", "--concurrency", String(CONCURRENCY)];

async function openWorld(
  queue: QueueKind = "embedded",
): Promise<{ world: World; run: RunDirectory }> {
  const world = await World.open({}, queue);
  await world.write("reviews.csv", reviewsCsv(ITEMS));
  await world.write("reviews.yaml", reviewsJob());
  return { world, run: new RunDirectory(world.path("run")) };
}

describeOnEachQueue((queue) => {
  describe.each(["SIGINT", "SIGTERM"] as const)("the first %s", (signal) => {
    it("finishes and records what is in flight, exits 3, and the same command goes on", async () => {
      const { world, run } = await openWorld(queue);
      await using _world = world;
      // The first calls are quick, so that it comes in mid-run; those in flight then take a while.
      world.gateway.script([
        { delayMs: 1, times: 100 },
        { delayMs: 1_500, times: CONCURRENCY },
      ]);
      const running = world.start(COMMAND);
      await until("100 items are done and more in flight", async () => {
        return (await run.completed()) >= 100 && world.gateway.stats().inFlight === CONCURRENCY;
      });
      running.kill(signal);
      const stopped = await running.exit;

      expect([stopped.code, stopped.stderr]).toEqual([
        3,
        expect.stringMatching(/^stopping: [^]*paused.*same command/s),
      ]);
      const { requests, billedRequests, clientsGone } = world.gateway.stats();
      expect((await run.results()).map(({ index }) => index)).toHaveLength(billedRequests);
      expect([requests, clientsGone]).toEqual([100 + CONCURRENCY, 0]);
      expect(await run.manifest()).toMatchObject({
        state: "paused",
        reason: { code: "interrupted" },
      });
      expect(await run.files()).not.toContain("run.lock");
      expect((await world.nightshift(["verify", "run"])).code).toBe(0);

      expect((await world.nightshift(COMMAND)).code).toBe(0);
      expect(await run.ended()).toEqual(upTo(ITEMS));
      expect(mispaired(await run.results())).toEqual([]);
      expect(world.gateway.stats().billedRequests).toBe(ITEMS);
    });
  });
});

it("stops at once at the second Ctrl-C, with 130, and the same command goes on", async () => {
  const { world, run } = await openWorld();
  await using _world = world;
  world.gateway.script([
    { delayMs: 1, times: 50 },
    { delayMs: 60_000, times: CONCURRENCY },
  ]);
  const running = world.start([...COMMAND, "--json"]);
  await until("calls hang", async () => {
    return (await run.completed()) >= 50 && world.gateway.stats().inFlight === CONCURRENCY;
  });
  running.kill("SIGINT");
  await until("it says that it stops", () => running.stderr.includes("stopping"));
  await until("it says what it waits for", () =>
    /"waiting":"stopping: 16 calls in flight, \d+ s at most; Ctrl-C again/.test(running.stdout),
  );
  running.kill("SIGINT");
  const stopped = await running.exit;
  expect([stopped.code, stopped.stderr]).toEqual([
    130,
    expect.stringMatching(/\nstopped at once: /),
  ]);
  expect((await run.results()).length).toBe(50);

  expect((await world.nightshift(COMMAND)).code).toBe(0);
  expect(await run.ended()).toEqual(upTo(ITEMS));
  expect(world.gateway.stats().requests).toBe(ITEMS + CONCURRENCY);
});

it("stops while it waits for a gateway that is away", async () => {
  await using world = await World.open();
  await world.write("reviews.csv", reviewsCsv(3));
  await world.write("reviews.yaml", reviewsJob());
  await world.gateway.close();
  const running = world.start(COMMAND);
  await until("it says that it waits", () => running.stderr.includes("waiting for it"));
  running.kill("SIGTERM");
  expect((await running.exit).code).toBe(3);
});

describe("SIGHUP", () => {
  it("means nothing where no terminal was, as under nohup", async () => {
    const { world, run } = await openWorld();
    await using _world = world;
    world.gateway.script([{ delayMs: 300, times: CONCURRENCY }]);
    const running = world.start(COMMAND);
    await until("calls are made", () => world.gateway.stats().inFlight > 0);
    running.kill("SIGHUP");
    expect((await running.exit).code).toBe(0);
    expect(await run.ended()).toEqual(upTo(ITEMS));
  });

  it.skipIf(!hasScript())("of a terminal that was closed stops a run like SIGTERM", async () => {
    const { world, run } = await openWorld();
    await using _world = world;
    world.gateway.script([
      { delayMs: 1, times: 50 },
      { delayMs: 1_000, times: CONCURRENCY },
    ]);
    const command = `exec '${process.execPath}' '${CLI}' ${COMMAND.join(" ")}`;
    const terminal = spawn(SCRIPT, ["-qec", command, "/dev/null"], {
      cwd: world.directory,
      env: world.variables(),
      // The last is held by the run as long as it lives.
      stdio: ["pipe", "ignore", "ignore", "pipe"],
    });
    const ended = once(terminal, "close");
    await until("calls are in flight", async () => {
      return (await run.completed()) >= 50 && world.gateway.stats().inFlight === CONCURRENCY;
    });
    // Whoever holds the other end of the terminal is gone, and the kernel closes it.
    terminal.kill("SIGKILL");
    await ended;
    expect(await run.files()).not.toContain("run.lock");
    expect((await run.manifest()).reason).toMatchObject({
      code: "interrupted",
      message: "stopped by SIGHUP",
    });
    expect(world.gateway.stats()).toMatchObject({ requests: 50 + CONCURRENCY, clientsGone: 0 });
    expect(await run.completed()).toBe(50 + CONCURRENCY);
  });
});

function hasScript(): boolean {
  try {
    accessSync(SCRIPT);
    return process.platform === "linux";
  } catch {
    return false;
  }
}
