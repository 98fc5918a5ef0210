import { createServer } from "node:http";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { UsageError } from "../../../src/errors.ts";
import { entryOfOutcome, UsageTally } from "../../../src/ledger/usage-tally.ts";
import { type Metrics, openMetrics } from "../../../src/metrics/metrics.ts";
import type { Completed, Failed } from "../../../src/outcome.ts";
import type { TokenUsage } from "../../../src/tokens.ts";
import { seeded } from "../../e2e/support/seeded.ts";
import { Scrape } from "../../fakes/exposition-parser.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const MINUTE_MS = 60_000;

function costOf(model: string, { prompt, completion }: TokenUsage): number | null {
  return model === "free-of-price" ? null : (prompt + 4 * completion) / 1e6;
}

function completed(index: number, model: string, usage: TokenUsage | null, ms = 800): Completed {
  return {
    kind: "completed",
    ...endedAs(index, ms),
    summary: { model, finishReason: "stop", usage },
    response: { status: 200, requestId: null, body: "{}" },
  };
}

function failed(index: number): Failed {
  const error = { code: "timeout", message: "no answer" };
  return { kind: "failed", class: "retry", ...endedAs(index, 60_000), response: null, error };
}

function endedAs(index: number, ms: number) {
  return { index, customId: `row-${index}`, attempts: 1, ms, possiblyBilled: 0, retries: {} };
}

describe("metrics over HTTP", () => {
  let metrics: Metrics;
  let clock: FakeClock;
  let connected = true;
  let stopping = false;
  const sources = { inFlight: () => 7, throttledMs: () => 1_500, costOf };

  beforeEach(async () => {
    [connected, stopping, clock] = [true, false, new FakeClock()];
    const parts = { isConnected: () => connected, isStopping: () => stopping, clock };
    metrics = await openMetrics(LOOPBACK, parts);
  });
  afterEach(() => metrics.close());

  async function get(path: string, method = "GET"): Promise<{ status: number; text: string }> {
    const response = await fetch(metrics.url + path, { method });
    return { status: response.status, text: await response.text() };
  }

  async function scrape(): Promise<Scrape> {
    return new Scrape((await get("/metrics")).text);
  }

  test("tell that the process lives", async () => {
    expect(await get("/healthz")).toEqual({ status: 200, text: "ok\n" });
  });

  test("tell whether it works, and why not", async () => {
    expect(await get("/readyz")).toEqual({ status: 200, text: "ready\n" });
    connected = false;
    expect(await get("/readyz")).toEqual({ status: 503, text: "Redis is not connected\n" });
    stopping = true;
    expect(await get("/readyz")).toEqual({ status: 503, text: "stopping\n" });
    expect((await get("/healthz")).status).toBe(200);
  });

  test("have no other pages, and take nothing", async () => {
    expect(await get("/")).toEqual({
      status: 404,
      text: "there are /healthz, /readyz, /metrics\n",
    });
    expect((await get("/__proto__")).status).toBe(404);
    expect((await get("/metrics", "POST")).status).toBe(405);
    expect(await get("/metrics", "HEAD")).toEqual({ status: 200, text: "" });
  });

  test("are in Prometheus' format, whatever a model is called", async () => {
    const response = await fetch(`${metrics.url}/metrics`);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const model = 'a"b\\c\nd{},é汉';
    metrics.watch("run", sources).attempt(model, "completed");
    expect(
      (await scrape()).value("nightshift_attempts_total", {
        run: "run",
        model,
        class: "completed",
      }),
    ).toBe(1);
  });

  test("have names that end in a base unit or say what they count", async () => {
    const ours = [...(await scrape()).types.keys()].filter((name) =>
      name.startsWith("nightshift_"),
    );
    expect(ours).toContain("nightshift_items_total");
    for (const name of ours) {
      expect(name).toMatch(/_(total|seconds|bytes|items|in_flight|connected|info)$/);
    }
  });

  test("count what usage.json counts", async () => {
    const random = seeded(5);
    const tally = new UsageTally(costOf);
    const meter = metrics.watch("run", sources);
    for (let index = 0; index < 500; index += 1) {
      const model = random() < 0.5 ? "gpt-4o" : "gpt-4o-mini";
      const [prompt, completion] = [Math.floor(random() * 900), Math.floor(random() * 90)];
      const [cached, reasoning] = [Math.floor(prompt / 3), Math.floor(completion / 2)];
      const usage = { prompt, completion, total: prompt + completion, cached, reasoning };
      const chance = random();
      const outcome =
        chance < 0.1 ? failed(index) : completed(index, model, chance < 0.2 ? null : usage);
      tally.add(entryOfOutcome(outcome));
      meter.ended(model, outcome);
    }
    const counts = { total: 500, completed: 0, failed: 0, wallMs: 1 };
    const usage = tally.report(counts);
    const scraped = await scrape();

    expect(scraped.sum("nightshift_items_total")).toBe(500);
    for (const [model, totals] of Object.entries(usage.models)) {
      const labels = { run: "run", model };
      const tokens = (kind: string) =>
        scraped.value("nightshift_tokens_total", { ...labels, kind });
      expect({
        items: scraped.value("nightshift_items_total", { ...labels, outcome: "completed" }),
        prompt_tokens: tokens("prompt"),
        completion_tokens: tokens("completion"),
        total_tokens: (tokens("prompt") ?? 0) + (tokens("completion") ?? 0),
        cached_tokens: tokens("cached"),
        reasoning_tokens: tokens("reasoning"),
        cost_usd: scraped.value("nightshift_cost_usd_total", labels),
      }).toEqual({ ...totals, cost_usd: expect.closeTo(totals.cost_usd ?? -1, 8) as number });
      expect(scraped.value("nightshift_call_duration_seconds_count", labels)).toBe(totals.items);
    }
  });

  test("tell a run's state as it is at the moment of the scrape", async () => {
    const meter = metrics.watch("run", sources);
    meter.watchQueue(() => ({ waiting: 3_900, inHand: 100 }));
    const scraped = await scrape();
    expect(scraped.value("nightshift_calls_in_flight", { run: "run" })).toBe(7);
    expect(scraped.value("nightshift_throttled_seconds_total", { run: "run" })).toBe(1.5);
    const depth = (state: string) => scraped.value("nightshift_queue_items", { run: "run", state });
    expect([depth("waiting"), depth("in_hand")]).toEqual([3_900, 100]);
    expect(scraped.value("nightshift_redis_connected")).toBe(1);
    expect(scraped.value("nodejs_eventloop_lag_p99_seconds")).toBeTypeOf("number");
  });

  test("go on counting when a run goes on in another round", async () => {
    metrics.watch("run", sources).ended("m", completed(0, "m", null));
    metrics.watch("run", { ...sources, throttledMs: () => 500 }).ended("m", failed(1));
    const scraped = await scrape();
    expect(scraped.sum("nightshift_items_total", { run: "run" })).toBe(2);
    expect(scraped.value("nightshift_throttled_seconds_total", { run: "run" })).toBe(2);
  });

  test("count an item that shares another's answer, but neither tokens nor cost again", async () => {
    const meter = metrics.watch("run", sources);
    const usage = { prompt: 8, completion: 2, total: 10, cached: 0, reasoning: 0 };
    const answer = completed(0, "m", usage);
    meter.ended("m", answer);
    meter.ended("m", { ...answer, index: 1, attempts: 0, reused: { kind: "shared", with: 0 } });
    const scraped = await scrape();
    expect(scraped.sum("nightshift_items_total")).toBe(2);
    expect(scraped.sum("nightshift_tokens_total")).toBe(10);
    expect(scraped.sum("nightshift_call_duration_seconds_count")).toBe(1);
  });

  test("put answers into buckets of seconds", async () => {
    const meter = metrics.watch("run", sources);
    for (const ms of [90, 700, 45_000]) meter.ended("m", completed(0, "m", null, ms));
    const scraped = await scrape();
    const upTo = (le: string) =>
      scraped.value("nightshift_call_duration_seconds_bucket", { run: "run", model: "m", le });
    expect([upTo("0.1"), upTo("1"), upTo("30"), upTo("60")]).toEqual([1, 2, 2, 3]);
  });

  test("name no cost where a price is unknown: a part would look like all of it", async () => {
    const meter = metrics.watch("run", sources);
    const usage = { prompt: 1, completion: 1, total: 2, cached: 0, reasoning: 0 };
    meter.ended("m", completed(0, "m", usage));
    meter.ended("m", completed(1, "free-of-price", usage));
    meter.ended("m", completed(2, "m", usage));
    expect((await scrape()).value("nightshift_cost_usd_total", { run: "run", model: "m" })).toBe(
      undefined,
    );
  });

  test("keep runs apart, and show one for ten minutes after its end", async () => {
    for (const run of ["a", "b"]) metrics.watch(run, sources).ended("m", completed(0, "m", null));
    metrics.unwatch("a");
    await clock.advance(9 * MINUTE_MS);
    const ended = async (run: string): Promise<number> => {
      const scraped = await scrape();
      const names = ["nightshift_items_total", "nightshift_call_duration_seconds_count"];
      return names.reduce((sum, name) => sum + scraped.sum(name, { run }), 0);
    };
    expect([await ended("a"), await ended("b")]).toEqual([2, 2]);
    await clock.advance(2 * MINUTE_MS);
    expect([await ended("a"), await ended("b")]).toEqual([0, 2]);
  });

  test("call all models beyond fifty the same: a name in every line would be a series each", async () => {
    const meter = metrics.watch("run", sources);
    for (let index = 0; index < 80; index += 1) meter.attempt(`model-${index}`, "completed");
    const scraped = await scrape();
    const labels = { run: "run", model: "other", class: "completed" };
    expect(scraped.value("nightshift_attempts_total", labels)).toBe(30);
  });

  test("do not mix what two scrapes at once see", async () => {
    metrics.watch("run", sources).ended("m", completed(0, "m", null));
    for (const { status, text } of await Promise.all([get("/metrics"), get("/metrics")])) {
      expect(status).toBe(200);
      expect(new Scrape(text).sum("nightshift_items_total")).toBe(1);
    }
  });
});

test("a taken port is the user's to choose anew", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const parts = { isConnected: () => true, isStopping: () => false, clock: new FakeClock() };
  const opening = openMetrics({ host: "127.0.0.1", port }, parts);
  await expect(opening).rejects.toThrow(UsageError);
  await expect(opening).rejects.toThrow(`--metrics-port: port ${port} on 127.0.0.1 is taken`);
  other.close();
});
