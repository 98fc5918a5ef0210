import type { Readable } from "node:stream";

import type { PriceList } from "../job/pricing.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import type { MetricsAddress } from "../metrics/http-server.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Connection } from "../queue/connection.ts";
import type { Clock } from "../system/clock.ts";
import type { GatewayAccess, ProxySettings, RedisAccess } from "../system/env.ts";
import type { LogLevel } from "../system/log.ts";
import type { Random } from "../system/random.ts";
import type { Closers } from "./closers.ts";
import type { OnRunEvent } from "./events.ts";
import type { Firing } from "./firing.ts";
import type { InputScan } from "./scan-input.ts";

/** Everything a run is made of; the command line and the library both fill this in. */
export interface RunOrder {
  readonly job: ResolvedJob;
  readonly access: GatewayAccess;
  readonly proxy: ProxySettings;
  /** A shared Redis or Valkey; null starts an embedded one. */
  readonly redis: RedisAccess | null;
  /** False leaves the calling to workers elsewhere. */
  readonly works: boolean;
  /** Start afresh, even where an unfinished run could be continued. */
  readonly fresh: boolean;
  /** The firing of a schedule that this is; null for a run that was started by hand. */
  readonly firing: Firing | null;
  /** Where health and metrics are served; null serves none. */
  readonly metrics: MetricsAddress | null;
  readonly webhookUrl: string | null;
  readonly webhookSecret: string | null;
  readonly logLevel: LogLevel;
  /** Where limits that were learned are kept for the next run; null keeps none. */
  readonly stateDirectory: string | null;
  readonly workingDirectory: string;
  readonly stdin: Readable;
  readonly clock: Clock;
  readonly random: Random;
  readonly onEvent: OnRunEvent;
  /** Aborts to stop after what is in flight. Its reason should be a {@link RunStopped}. */
  readonly signal: AbortSignal;
  /** Aborts to stop at once; what is in flight is lost, what is recorded is not. */
  readonly killSignal: AbortSignal;
}

/** What every step of a sitting needs. */
export interface Scene {
  readonly order: RunOrder;
  readonly scan: InputScan;
  readonly prices: PriceList;
  readonly directory: string;
  readonly connection: Connection;
  /** What all keys in Redis begin with. */
  readonly prefix: string;
  /** Null where nobody wants to see them. */
  readonly metrics: Metrics | null;
  readonly closers: Closers;
}
