import type { Clock } from "../system/clock.ts";
import { Exposition } from "./exposition.ts";
import { type MetricsAddress, plain, serve } from "./http-server.ts";
import { RunMeter, type RunSources } from "./run-meter.ts";

/** Health and metrics of this process, served over HTTP. */
export interface Metrics {
  /** `http://127.0.0.1:9464` */
  readonly url: string;
  /** Begins to count for a run, or goes on with other sources. */
  watch(runId: string, sources: RunSources): RunMeter;
  /** What counts for a run; null where it is not watched. */
  meterOf(runId: string): RunMeter | null;
  /** The run has ended here: it is shown for some minutes more, so that its last counts are seen. */
  unwatch(runId: string): void;
  close(): Promise<void>;
}

export interface MetricsParts {
  readonly isConnected: () => boolean;
  readonly isStopping: () => boolean;
  readonly clock: Clock;
}

interface Watched {
  readonly meter: RunMeter;
  /** Monotonic milliseconds; null while it goes on. */
  endedAt: number | null;
}

/** Longer than scrapers pause; shorter than what a process that works for months could fill up with. */
const SHOWN_AFTER_END_MS = 10 * 60_000;

/**
 * Serves `/healthz` (the process lives), `/readyz` (it works: 503 with the reason where not) and
 * `/metrics`.
 *
 * @throws UsageError when nothing can be served at that address.
 */
export async function openMetrics(address: MetricsAddress, parts: MetricsParts): Promise<Metrics> {
  const { clock, isConnected, isStopping } = parts;
  const exposition = new Exposition();
  const runs = new Map<string, Watched>();
  const dropOld = (): void => {
    const before = clock.monotonic() - SHOWN_AFTER_END_MS;
    for (const [runId, { meter, endedAt }] of runs) {
      if (endedAt === null || endedAt >= before) continue;
      runs.delete(runId);
      exposition.forget(meter.reading);
    }
  };

  const server = await serve(address, {
    "/healthz": () => plain(200, "ok"),
    "/readyz": () => {
      if (isStopping()) return plain(503, "stopping");
      return isConnected() ? plain(200, "ready") : plain(503, "Redis is not connected");
    },
    "/metrics": async () => {
      dropOld();
      const readings = [...runs.values()].map(({ meter }) => meter.reading);
      const body = await exposition.text(readings, isConnected());
      return { status: 200, type: exposition.contentType, body };
    },
  });
  return {
    url: server.url,
    watch: (runId, sources) => {
      const known = runs.get(runId)?.meter;
      known?.follow(sources);
      const meter =
        known ??
        new RunMeter(runId, sources, (model, seconds) =>
          exposition.observeCall(runId, model, seconds),
        );
      runs.set(runId, { meter, endedAt: null });
      return meter;
    },
    meterOf: (runId) => runs.get(runId)?.meter ?? null,
    unwatch: (runId) => {
      const watched = runs.get(runId);
      if (watched !== undefined) watched.endedAt = clock.monotonic();
    },
    close: () => server.close(),
  };
}
