import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";

import type * as Nightshift from "../../src/index.ts";
import { readEnvironment } from "../../src/system/env.ts";
import { mispaired, reviewsCsv } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { World } from "./support/world.ts";

const ITEMS = 60;
const INDEX = new URL("../../dist/index.js", import.meta.url);

let library: typeof Nightshift;
let world: World;
beforeAll(async () => {
  library = (await import(INDEX.href)) as typeof Nightshift;
  world = await World.open();
  await world.write("reviews.csv", reviewsCsv(ITEMS));
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.gateway.reset());

function job(name: string): Nightshift.JobFile {
  return library.defineJob({
    name,
    input: world.path("reviews.csv"),
    model: "gpt-4o-mini",
    messages: [{ role: "user", content: "Classify: {{ text }}" }],
    id: "{{ review_id }}",
    limits: { concurrency: 8 },
    out: world.path(name),
  });
}

function options(): Nightshift.RunOptions {
  return {
    baseUrl: world.gateway.url,
    apiKey: "sk-demo",
    workingDirectory: world.directory,
    environment: readEnvironment({}),
  };
}

it("runs a job that is made in code, and tells what happens", async () => {
  const events: Nightshift.RunEvent[] = [];
  const result = await library.run(job("whole"), {
    ...options(),
    onEvent: (event) => events.push(event),
  });
  expect(result).toMatchObject({
    state: "finished",
    reason: null,
    already_finished: false,
    usage: { items: { completed: ITEMS, failed: 0, pending: 0 } },
    files: { output: world.path("whole/output.csv") },
  });
  expect(events[0]).toMatchObject({ event: "started", items: ITEMS });
  expect(mispaired(await new RunDirectory(result.directory).results())).toEqual([]);
});

it("stops when its signal aborts, with what was in flight recorded, and goes on at the next call", async () => {
  world.gateway.script([
    { delayMs: 1, times: 20 },
    { delayMs: 2_000, times: 8 },
  ]);
  const stop = new AbortController();
  const stopped = await library.run(job("stopped"), {
    ...options(),
    signal: stop.signal,
    onEvent: (event) => {
      if (event.event === "progress" && event.completed >= 20) stop.abort();
    },
  });
  expect([stopped.state, stopped.reason?.code]).toEqual(["paused", "interrupted"]);
  expect(stopped.usage.items.completed).toBe(world.gateway.stats().billedRequests);
  expect(stopped.usage.items.completed).toBeLessThan(ITEMS);

  const result = await library.run(job("stopped"), options());
  expect([result.state, world.gateway.stats().billedRequests]).toEqual(["finished", ITEMS]);
  expect(await new RunDirectory(result.directory).ended()).toEqual(upTo(ITEMS));
});

it("throws a UsageError for a job that cannot run", async () => {
  const wrong = { ...job("wrong"), input: world.path("none.csv") };
  await expect(library.run(wrong, options())).rejects.toMatchObject({
    name: "UsageError",
    message: expect.stringContaining("none.csv: no such file") as string,
  });
});

it("throws a UsageError for a job of the wrong shape", async () => {
  const wrong = { ...job("wrong"), modle: "gpt-4o" };
  await expect(library.run(wrong, options())).rejects.toThrow(library.UsageError);
});

it("asks failed items again, those that meet the conditions", async () => {
  world.gateway.script([{ status: 400, times: 2 }]);
  const failed = await library.run(job("again"), options());
  expect(failed.usage.items).toMatchObject({ completed: ITEMS - 2, failed: 2 });

  const others = await library.retry(
    failed.directory,
    [{ field: "code", value: "timeout" }],
    options(),
  );
  expect(others.unmatched).toMatchObject({ where: ["code=timeout"] });
  const retried = await library.retry(
    failed.directory,
    [{ field: "status", value: "400" }],
    options(),
  );
  expect(retried.usage.items).toMatchObject({ completed: ITEMS, failed: 0 });
});

it("throws a UsageError for conditions of the wrong shape", async () => {
  const conditions = { where: "code=timeout" } as unknown as Nightshift.Condition[];
  await expect(library.retry(world.path("again"), conditions, options())).rejects.toThrow(
    library.UsageError,
  );
});

it("returns why a run stopped, and what to do", async () => {
  const result = await library.run(job("refused"), { ...options(), apiKey: "sk-wrong" });
  expect(result).toMatchObject({
    state: "paused",
    reason: { code: "account", remedy: expect.stringContaining("NIGHTSHIFT_API_KEY") as string },
    files: { output: null },
  });
});

it("lets the process end when a run is done", () => {
  const script =
    `import { run } from ${JSON.stringify(INDEX.href)};` +
    `const { state } = await run(${JSON.stringify(job("alone"))}, ` +
    `{ baseUrl: ${JSON.stringify("http://127.0.0.1:1/v1")}, apiKey: "sk-demo", overrides: { maxOutage: "1ms" } });` +
    "process.stdout.write(state);";
  const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    encoding: "utf8",
    env: { ...process.env, XDG_STATE_HOME: world.path("state") },
    timeout: 20_000,
  });
  expect([status, stdout]).toEqual([0, "paused"]);
});

const versionOf = (node: string): string =>
  spawnSync(node, ["--version"], { encoding: "utf8" }).stdout ?? "";
const oldNode = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((directory) => join(directory, "node"))
  .find((node) => /^v(18|20)\./.test(versionOf(node)));

it.runIf(oldNode !== undefined)("says to a Node that is too old which one it needs", () => {
  const script = `import ${JSON.stringify(INDEX.href)};`;
  for (const args of [
    ["--input-type=module", "-e", script],
    [fileURLToPath(new URL("../../dist/cli.js", import.meta.url)), "--version"],
  ]) {
    const { stderr, status } = spawnSync(oldNode ?? "", args, { encoding: "utf8" });
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/nightshift needs Node 22\.19 or newer, and this is (18|20)\./),
    ]);
  }
});
