import { hostname } from "node:os";

import { openScheduleClaims, type ScheduleClaims } from "../../queue/schedule-claims.ts";
import { startQueueServer } from "../../queue/server.ts";
import type { Clock } from "../../system/clock.ts";
import type { RedisAccess } from "../../system/env.ts";
import { untilStopped } from "../../system/until-stopped.ts";

/** How schedulers with disks of their own agree who fires a tick: through a Redis that they share. */
export interface TickClaims extends ScheduleClaims {
  close(): Promise<void>;
}

/** How long Redis may take to answer; what is due then stays due. */
const PATIENCE_MS = 5_000;

/** @throws UsageError when nobody answers there. */
export async function openTickClaims(
  redis: RedisAccess,
  scheduler: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<TickClaims> {
  const server = await startQueueServer(redis, signal);
  const claims = openScheduleClaims(server.connection, server.prefix, scheduler, hostname());
  /** A connection that is away holds commands back without end. */
  const soon = async <T>(answer: Promise<T>): Promise<T> => {
    const patience = new AbortController();
    const cancel = clock.after(PATIENCE_MS, () =>
      patience.abort(new Error("Redis does not answer: what is due waits for it")),
    );
    try {
      return await untilStopped(answer, patience.signal);
    } finally {
      cancel();
    }
  };
  return {
    claim: (job, tick) => soon(claims.claim(job, tick)),
    taken: (job, ticks) => soon(claims.taken(job, ticks)),
    confirm: (job, tick) => soon(claims.confirm(job, tick)),
    hold: (job) => soon(claims.hold(job)),
    release: (job) => soon(claims.release(job)),
    isHeldElsewhere: (job) => soon(claims.isHeldElsewhere(job)),
    close: () => server.close(),
  };
}
