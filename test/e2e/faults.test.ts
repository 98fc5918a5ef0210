import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Exit } from "./support/process.ts";
import { describeOnEachQueue } from "./support/queues.ts";
import { mispaired, reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { type Line, RunDirectory, upTo } from "./support/run-directory.ts";
import { World } from "./support/world.ts";

const ITEMS = 2_000;
/** Shares of all attempts. Each goes away when it is asked again. */
const CHAOS = {
  "500": 0.01,
  "502": 0.01,
  "504": 0.005,
  "520": 0.005,
  "500-body": 0.005,
  reset: 0.01,
  cut: 0.005,
  garbage: 0.005,
  error200: 0.005,
  nochoices: 0.005,
  emptychoices: 0.005,
};
const STREAM_CHAOS = Object.fromEntries(
  ["F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8"].map((name) => [name, 0.005]),
);
/** What no second attempt can mend. */
const HOPELESS: Readonly<Record<number, string>> = {
  100: "context",
  700: "blocked",
  1300: "400-filter",
};
/** In a burst, as they come: each makes the run go slower for a while. */
const THROTTLES = upTo(24).map((n) => ({
  match: `number ${n * 2 + 1}:`,
  status: [429, 503, 529][n % 3] ?? 429,
  headers: { "retry-after-ms": "40" },
}));
const JOB = reviewsJob("retry: { attempts: 12 }", "limits: { concurrency: 64 }", "out: run");

function note(index: number): string {
  const marker = HOPELESS[index];
  return marker === undefined ? "" : ` [[fault:${marker}]]`;
}

describeOnEachQueue((queue) => {
  // What answers look like is nothing to the queue: streams are tried on one of them.
  const modes = [
    { mode: "whole", flags: [], chaos: CHAOS },
    { mode: "streamed", flags: ["--stream"], chaos: { ...CHAOS, ...STREAM_CHAOS } },
  ].slice(0, queue === "embedded" ? 2 : 1);

  describe.each(modes)("with faults of every kind and answers $mode", ({ flags, chaos }) => {
    let world: World;
    let exit: Exit;
    let run: RunDirectory;
    let results: Line[];
    let errors: Line[];

    beforeAll(async () => {
      world = await World.open({ seed: 5, chaos, latency: { ttftMs: 5, jitter: 0.5 } }, queue);
      world.gateway.script(THROTTLES);
      await world.write("reviews.csv", reviewsCsv(ITEMS, note));
      await world.write("reviews.yaml", JOB);
      exit = await world.nightshift(["run", "reviews.yaml", ...flags]);
      run = new RunDirectory(world.path("run"));
      [results, errors] = await Promise.all([run.results(), run.errors()]);
    });
    afterAll(() => world[Symbol.asyncDispose]());

    it("met each of them", () => {
      const met = new Set(world.gateway.ledger().map(({ fault }) => fault));
      expect(
        [...Object.keys(chaos), ...Object.values(HOPELESS), "script"].filter(
          (name) => !met.has(name),
        ),
      ).toEqual([]);
    });

    it("exits 2, because some items are hopeless", () => {
      expect([exit.code, exit.stdout]).toEqual([2, ""]);
    });

    it("records each item exactly once", async () => {
      expect(await run.ended()).toEqual(upTo(ITEMS));
    });

    it("puts each answer with its own item", () => {
      expect(mispaired(results)).toEqual([]);
    });

    it("fails only the hopeless ones, each with its reason and after a single call", () => {
      expect(
        errors
          .sort((a, b) => a.index - b.index)
          .map(({ index, nightshift: { code, attempts } }) => ({ index, code, attempts })),
      ).toEqual([
        { index: 100, code: "context_length_exceeded", attempts: 1 },
        { index: 700, code: "sensitive_words_detected", attempts: 1 },
        { index: 1300, code: "content_filter", attempts: 1 },
      ]);
    });

    it("counts as possibly billed whatever was billed without an answer", async () => {
      const { billedRequests } = world.gateway.stats();
      const usage = await run.usage();
      const byTimeout = world.gateway
        .ledger()
        .filter(({ status, billed }) => billed && status === 504);
      expect(usage.items.completed + usage.possibly_billed).toBeGreaterThanOrEqual(
        billedRequests - byTimeout.length,
      );
    });

    it("counts every call: attempts and throttled ones are all that the gateway saw", async () => {
      const { attempts, retries } = await run.usage();
      expect([attempts + THROTTLES.length, Object.keys(retries).length > 8]).toEqual([
        world.gateway.stats().requests,
        true,
      ]);
    });

    it("never has more calls in flight than it may", () => {
      expect(world.gateway.stats().inFlightMax).toBeLessThanOrEqual(64);
    });

    it("passes its own verification", async () => {
      expect((await world.nightshift(["verify", "run"])).code).toBe(0);
    });
  });
});

it("keeps to a limit that it was never told, by the 429s alone", async () => {
  await using world = await World.open({
    limits: { rpm: 6_000, windowMs: 1_000, retryAfter: "ms" },
    latency: { ttftMs: 5 },
  });
  await world.write("reviews.csv", reviewsCsv(300));
  await world.write("reviews.yaml", reviewsJob());
  const exit = await world.nightshift(["run", "reviews.yaml", "--out", "run"]);
  expect([exit.code, await new RunDirectory(world.path("run")).ended()]).toEqual([0, upTo(300)]);
});

it("waits for a gateway that is away, and loses no item to the outage", async () => {
  await using world = await World.open({ latency: { ttftMs: 5 } });
  await world.write("reviews.csv", reviewsCsv(200));
  await world.write("reviews.yaml", reviewsJob());
  // More failures than 200 items at two attempts each could take, were they counted.
  world.gateway.script([{ fault: "502", times: 60 }]);
  const exit = await world.nightshift(["run", "reviews.yaml", "--out", "run", "--attempts", "2"]);
  expect([exit.code, await new RunDirectory(world.path("run")).ended()]).toEqual([0, upTo(200)]);
});
