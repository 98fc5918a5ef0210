import { RunStopped } from "../errors.ts";
import type { Governor } from "../gateway/governor.ts";
import type { Holdup } from "../gateway/holdup.ts";
import { drainingText } from "./draining.ts";
import type { Progress } from "./events.ts";
import type { Hold } from "./hold.ts";
import { outageStop } from "./preflight.ts";
import type { Presence } from "./presence.ts";
import { RateMeter } from "./rate-meter.ts";
import { watchRetry } from "./retry-progress.ts";
import type { WorkParts } from "./work-parts.ts";

const TICK_MS = 250;

export interface ProgressParts extends WorkParts {
  readonly governor: Pick<Governor, "inFlight" | "holdup" | "awayMs" | "lastMessage">;
  readonly hold: Pick<Hold, "isOn">;
  /** Null where the queue is this process's own. */
  readonly presence: Pick<Presence, "inFlight" | "workers"> | null;
  readonly stop: (reason: RunStopped) => void;
  /** Aborts when no more calls begin. */
  readonly stopping: AbortSignal;
}

/** Tells four times a second where the run stands, and ends a run that waits for too long. */
export function startProgress(parts: ProgressParts): { stop(): void } {
  const { scene, governor, stop } = parts;
  const { connection } = scene;
  const { clock, job, onEvent } = scene.order;
  const meter = new RateMeter();
  const began = clock.monotonic();
  const retrying = watchRetry(parts.wanted, parts.ledger.items);
  let redisLostAt: number | null = null;
  let stoppingSince: number | null = null;
  let cancel = (): void => {};
  const tell = (): void => {
    const now = clock.monotonic();
    if (parts.stopping.aborted) stoppingSince ??= now;
    const sinceMs = stoppingSince === null ? null : now - stoppingSince;
    onEvent({
      event: "progress",
      ...progressNow(parts, meter, began, sinceMs),
      retrying: retrying(),
    });
  };
  const tick = (): void => {
    const now = clock.monotonic();
    tell();
    const { awayMs } = governor;
    if (awayMs !== null && awayMs > job.maxOutageMs && !parts.hold.isOn)
      stop(outageStop(governor.lastMessage, awayMs));
    redisLostAt = connection.status === "ready" ? null : (redisLostAt ?? now);
    if (redisLostAt !== null && now - redisLostAt > job.maxOutageMs) stop(redisStop());
    cancel = clock.after(TICK_MS, tick);
  };
  tick();
  return {
    stop: () => {
      cancel();
      tell();
    },
  };
}

function progressNow(
  parts: ProgressParts,
  meter: RateMeter,
  began: number,
  stoppingMs: number | null,
): Omit<Progress, "retrying"> {
  const { ledger, governor, manifest, scene, wanted } = parts;
  const now = scene.order.clock.monotonic();
  const { completed, failed } = ledger.items;
  const total = manifest.items ?? 0;
  const left = wanted.size;
  meter.note(now, -left, ledger.usage.tokens);
  const { items, tokens } = meter.rates;
  const inFlight = governor.inFlight + (parts.presence?.inFlight ?? 0);
  return {
    total,
    completed,
    failed,
    ...ledger.usage.reused,
    in_flight: inFlight,
    retries: ledger.usage.retries,
    tokens: ledger.usage.tokens,
    items_per_second: round(items),
    tokens_per_second: round(tokens),
    eta_seconds: left <= 0 ? 0 : items > 0 ? Math.round(left / items) : null,
    elapsed_seconds: round((now - began) / 1000),
    cost_usd: ledger.usage.cost,
    waiting:
      stoppingMs === null
        ? waitingFor(parts)
        : drainingText({
            inFlight,
            sinceMs: stoppingMs,
            policy: scene.order.job,
            reason: scene.order.signal.reason,
          }),
    limited_by: describeLimit(governor.holdup),
  };
}

function waitingFor({ scene, governor, hold, presence, manifest }: ProgressParts): string | null {
  if (scene.connection.status !== "ready") return "Redis does not answer";
  if (hold.isOn) return `paused: \`nightshift resume ${manifest.run_id}\` lets it go on`;
  if (!scene.order.works && presence?.workers.length === 0) {
    return "waiting for workers: start `nightshift worker --redis …`";
  }
  return describeTrouble(governor.holdup);
}

function describeTrouble(holdup: Holdup): string | null {
  if (holdup.kind === "throttled") {
    return `throttled until ${new Date(holdup.untilMs).toTimeString().slice(0, 8)}`;
  }
  if (holdup.kind === "outage") {
    return `gateway away for ${Math.round(holdup.forMs / 1000)} s: ${holdup.message}`;
  }
  return null;
}

/** What a run that goes well goes no faster for. */
function describeLimit(holdup: Holdup): string | null {
  switch (holdup.kind) {
    case "rpm":
      return `rate limit: ${whole(holdup.perMinute)} requests/min`;
    case "tpm":
      return `token limit: ${whole(holdup.perMinute)} tokens/min`;
    case "concurrency":
      return `concurrency: ${holdup.calls} calls at once`;
    case "latency":
      return `the gateway's pace: more than ${holdup.calls} calls at once only wait longer`;
    case "nothing":
    case "throttled":
    case "outage":
      return null;
  }
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US").replaceAll(",", " ");
}

function redisStop(): RunStopped {
  return new RunStopped(
    "redis",
    "Redis has been away for too long",
    "Start Redis, then run the same command again; or leave --redis out.",
  );
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
