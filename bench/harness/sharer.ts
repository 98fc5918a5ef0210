/**
 * One of the processes that share an account's rate: takes all it can get, as a run with calls
 * waiting does, until told to stop. Forked by the case `shared`.
 */
import { setTimeout as delay } from "node:timers/promises";

import Bottleneck from "bottleneck";
import { Redis } from "ioredis";

import { openAccountShare } from "../../src/queue/account-share.ts";
import { connect } from "../../src/queue/connection.ts";
import { systemClock } from "../../src/system/clock.ts";

/** How a process takes its part. */
export type Way =
  | { readonly kind: "lease"; readonly everyMs: number }
  /** `batch` units per schedule; null for bottleneck's own heartbeat, which is 5 s. */
  | { readonly kind: "bottleneck"; readonly heartbeatMs: number | null; readonly batch: number };

/** What a sharer is told when it is forked. */
export interface Assignment {
  readonly way: Way;
  readonly redis: string;
  readonly unitsPerSecond: number;
}

/** What a sharer tells when it is stopped. */
export interface Account {
  /** When units were granted, in milliseconds since the epoch, and how many. */
  readonly grants: readonly (readonly [at: number, units: number])[];
  readonly errors: readonly string[];
  readonly cpuMs: number;
}

const REFRESH_MS = 250;
/** Calls that wait at any time. */
const WAITING = 100;

const { way, redis, unitsPerSecond } = JSON.parse(process.argv[2] ?? "") as Assignment;
const grants: [at: number, units: number][] = [];
const errors: string[] = [];

const take = way.kind === "lease" ? await leasing(way.everyMs) : await scheduling(way);
process.once("message", () => {
  const before = process.cpuUsage();
  take();
  process.once("message", () => {
    const { user, system } = process.cpuUsage(before);
    const account: Account = { grants, errors, cpuMs: (user + system) / 1_000 };
    process.send?.(account, () => process.exit());
  });
});
process.send?.("ready");

async function leasing(everyMs: number): Promise<() => void> {
  const share = openAccountShare(
    { connection: await connect(redis), prefix: "nightshift" },
    "bench",
    systemClock,
  );
  const limits = { rpm: unitsPerSecond * 60, tpm: null };
  const takeOn = async (): Promise<void> => {
    await share.exchange({ requests: 0, tokens: 0, limits });
    for (;;) {
      try {
        granted((await share.exchange({ requests: WAITING, tokens: 0 })).requests);
      } catch (error) {
        errors.push(String(error));
      }
      await delay(everyMs);
    }
  };
  return () => void takeOn();
}

async function scheduling(way: Way & { kind: "bottleneck" }): Promise<() => void> {
  const amount = (unitsPerSecond * REFRESH_MS) / 1_000;
  const { hostname, port } = new URL(redis);
  const limiter = new Bottleneck({
    id: "bench",
    datastore: "ioredis",
    Redis,
    clientOptions: { host: hostname, port: Number(port) },
    reservoir: amount,
    reservoirRefreshAmount: amount,
    reservoirRefreshInterval: REFRESH_MS,
    ...(way.heartbeatMs === null ? {} : { heartbeatInterval: way.heartbeatMs }),
  });
  limiter.on("error", (error) => errors.push(String(error)));
  await limiter.ready();
  const waitInLine = async (): Promise<void> => {
    for (;;) {
      try {
        await limiter.schedule({ weight: way.batch }, () => Promise.resolve());
        granted(way.batch);
      } catch (error) {
        errors.push(String(error));
        await delay(100);
      }
    }
  };
  return () => {
    for (let line = 0; line < WAITING / way.batch; line += 1) void waitInLine();
  };
}

function granted(units: number): void {
  if (units > 0) grants.push([Date.now(), units]);
}
