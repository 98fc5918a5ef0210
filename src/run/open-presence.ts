import { hostname } from "node:os";

import type { RunPlace } from "../queue/keys.ts";
import type { RunTerms } from "../queue/run-info.ts";
import { Presence } from "./presence.ts";
import { RateMeter } from "./rate-meter.ts";
import type { WorkParts } from "./work-parts.ts";

/**
 * The run's presence on a shared Redis; null where the queue is this process's own.
 *
 * @param hasBudget then only this process may call: it alone keeps the books.
 */
export function openPresence(
  { scene, manifest, wasLeft, ledger, wanted, log }: WorkParts,
  place: RunPlace,
  hasBudget: boolean,
): Presence | null {
  const { order, scan } = scene;
  const { job, access, clock } = order;
  if (order.redis === null) return null;
  const meter = new RateMeter();
  const terms: RunTerms = {
    version: 1,
    job: job.name,
    base_url: access.baseUrl,
    models: [...scan.models],
    attempts: job.attempts,
    timeout_ms: job.timeoutMs,
    max_outage_ms: job.maxOutageMs,
    stream: job.stream,
    on_length: job.onLength,
    rpm: job.rpm,
    tpm: job.tpm,
    budget: hasBudget,
    proven: ledger.items.completed + ledger.items.failed > 0,
    sitting: `${clock.now()}-${process.pid}`,
    host: hostname(),
    pid: process.pid,
  };
  return new Presence({
    place,
    terms,
    since: Date.parse(manifest.created_at),
    // Where nobody ever helped, nobody is waited for.
    wasLeft: wasLeft && manifest.helped === true,
    wasHeld: manifest.held ?? false,
    counts: () => {
      const { completed, failed } = ledger.items;
      meter.note(clock.monotonic(), -wanted.size, ledger.usage.tokens);
      const rate = Math.round(meter.rates.items * 10) / 10;
      return { total: manifest.items ?? 0, completed, failed, items_per_second: rate };
    },
    clock,
    log,
  });
}
