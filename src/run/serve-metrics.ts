import type { MetricsAddress } from "../metrics/http-server.ts";
import type { Metrics, MetricsParts } from "../metrics/metrics.ts";
import type { Closers } from "./closers.ts";

/** Serves health and metrics where somebody wants them: only who does waits for the code to load. */
export async function serveMetrics(
  address: MetricsAddress | null,
  parts: MetricsParts,
  closers: Closers,
  onUrl: (event: { readonly event: "metrics"; readonly url: string }) => void,
): Promise<Metrics | null> {
  if (address === null) return null;
  const { openMetrics } = await import("../metrics/metrics.ts");
  const metrics = await openMetrics(address, parts);
  closers.add(() => metrics.close());
  onUrl({ event: "metrics", url: metrics.url });
  return metrics;
}
