import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

import { VERSION } from "../system/version.ts";
import type { ModelReading, RunReading } from "./run-meter.ts";

/** Answers of language models take seconds, some of them minutes. */
const LATENCY_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300];

/** Counters of a run that each model adds to: name, help, further labels, values. */
interface ModelCounter {
  readonly counter: Counter;
  readonly valuesOf: (model: ModelReading) => Iterable<readonly [labels: object, value: number]>;
}

/**
 * What is known of the process itself: event loop, memory, CPU time. Once per process, since what
 * watches the event loop and the garbage collector cannot be taken away again.
 */
const runtime = new Registry();

/** Writes readings of runs in Prometheus' text format. */
export class Exposition {
  readonly #registry = new Registry();
  readonly #models: readonly ModelCounter[];
  readonly #latency: Histogram;
  readonly #inFlight: Gauge;
  readonly #throttled: Counter;
  readonly #queue: Gauge;
  readonly #redis: Gauge;

  constructor() {
    const registers = [this.#registry];
    if (runtime.getMetricsAsArray().length === 0) collectDefaultMetrics({ register: runtime });
    new Gauge({
      name: "nightshift_build_info",
      help: "1, with the version of Nightshift that runs here.",
      labelNames: ["version"],
      registers,
    }).set({ version: VERSION }, 1);
    this.#models = modelCounters(registers);
    this.#latency = new Histogram({
      name: "nightshift_call_duration_seconds",
      help: "Time from sending to the last byte of the answer, of the call that completed an item.",
      labelNames: ["run", "model"],
      buckets: LATENCY_SECONDS,
      registers,
    });
    this.#inFlight = new Gauge({
      name: "nightshift_calls_in_flight",
      help: "Calls that were sent and are not recorded yet.",
      labelNames: ["run"],
      registers,
    });
    this.#throttled = new Counter({
      name: "nightshift_throttled_seconds_total",
      help: "Time in which a throttling answer held all calls back.",
      labelNames: ["run"],
      registers,
    });
    this.#queue = new Gauge({
      name: "nightshift_queue_items",
      help: "Items of the window: in hand here, or waiting in the queue (and in hand elsewhere).",
      labelNames: ["run", "state"],
      registers,
    });
    this.#redis = new Gauge({
      name: "nightshift_redis_connected",
      help: "1 while the connection to Redis stands.",
      registers,
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  observeCall(run: string, model: string, seconds: number): void {
    this.#latency.observe({ run, model }, seconds);
  }

  /** Drops the series that are not made anew from readings. */
  forget({ runId: run, models }: RunReading): void {
    for (const model of models.keys()) this.#latency.remove({ run, model });
  }

  async text(readings: Iterable<RunReading>, redisConnected: boolean): Promise<string> {
    for (const { counter } of this.#models) counter.reset();
    for (const metric of [this.#inFlight, this.#throttled, this.#queue]) metric.reset();
    this.#redis.set(redisConnected ? 1 : 0);
    for (const reading of readings) this.#set(reading);
    return (await this.#registry.metrics()) + (await runtime.metrics());
  }

  #set({ runId: run, models, inFlight, throttledMs, queue }: RunReading): void {
    for (const [model, totals] of models) {
      for (const { counter, valuesOf } of this.#models) {
        for (const [labels, value] of valuesOf(totals))
          counter.inc({ run, model, ...labels }, value);
      }
    }
    this.#inFlight.set({ run }, inFlight);
    this.#throttled.inc({ run }, throttledMs / 1000);
    if (queue === null) return;
    if (queue.waiting !== null) this.#queue.set({ run, state: "waiting" }, queue.waiting);
    this.#queue.set({ run, state: "in_hand" }, queue.inHand);
  }
}

function modelCounters(registers: Registry[]): ModelCounter[] {
  const counter = (name: string, help: string, ...further: string[]): Counter =>
    new Counter({ name, help, labelNames: ["run", "model", ...further], registers });
  return [
    {
      counter: counter(
        "nightshift_items_total",
        "Items that have ended and are recorded.",
        "outcome",
      ),
      valuesOf: ({ completed, failed }) => [
        [{ outcome: "completed" }, completed],
        [{ outcome: "failed" }, failed],
      ],
    },
    {
      counter: counter("nightshift_attempts_total", "Calls, by what their answers meant.", "class"),
      valuesOf: ({ attempts }) => [...attempts].map(([name, count]) => [{ class: name }, count]),
    },
    {
      counter: counter(
        "nightshift_tokens_total",
        "Tokens of completed items. cached is a part of prompt, reasoning one of completion.",
        "kind",
      ),
      valuesOf: ({ tokens }) => Object.entries(tokens).map(([kind, count]) => [{ kind }, count]),
    },
    {
      counter: counter("nightshift_cost_usd_total", "US dollars that completed items cost."),
      valuesOf: ({ costUsd }) => (costUsd === null ? [] : [[{}, costUsd]]),
    },
  ];
}
