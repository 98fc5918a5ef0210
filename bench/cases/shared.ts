import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { Redis } from "ioredis";

import type { Bench } from "../harness/bench.ts";
import { hasRedis, startRedis } from "../harness/service.ts";
import type { Account, Assignment, Way } from "../harness/sharer.ts";
import { figure } from "../harness/statistics.ts";
import { table } from "../harness/table.ts";

const UNITS_PER_SECOND = 1_000;
const STEADY_MS = 10_000;
/** After all keys in Redis were deleted. */
const AFTER_MS = 5_000;

const WAYS: Readonly<Record<string, Way>> = {
  "bottleneck, as it comes": { kind: "bottleneck", heartbeatMs: null, batch: 1 },
  "bottleneck, heartbeat 100 ms": { kind: "bottleneck", heartbeatMs: 100, batch: 1 },
  "the same in batches of 25": { kind: "bottleneck", heartbeatMs: 100, batch: 25 },
  "leases every 25 ms": { kind: "lease", everyMs: 25 },
};

const HEADER = [
  "",
  "units/s",
  "first : second",
  "most in 1 s",
  "CPU us/unit",
  "Redis CPU us/unit",
  "Redis commands/s",
  "keys deleted: units/s",
  "most in 1 s",
  "longest pause",
  "errors",
];

interface Shared {
  readonly perSecond: number;
  /** Share of the first process. */
  readonly first: number;
  readonly mostInASecond: number;
  readonly cpuUsPerUnit: number;
  readonly redisCpuUsPerUnit: number;
  readonly commandsPerSecond: number;
  readonly perSecondAfter: number;
  readonly mostInASecondAfter: number;
  readonly pauseAfterMs: number;
  readonly errors: readonly string[];
}

/** Two processes share 1 000 units a second through one Redis; then its keys are deleted. */
export async function shared(bench: Bench): Promise<string> {
  if (!(await hasRedis())) return "shared: skipped, no redis-server on this machine";
  const rows: string[][] = [];
  for (const [name, way] of Object.entries(WAYS)) {
    try {
      const result = await share(way);
      for (const error of new Set(result.errors)) bench.note(`shared: ${name}: ${error}`);
      bench.note(`shared: ${name} ${figure(result.perSecond)}/s`);
      rows.push(row(name, result));
    } catch (error) {
      bench.fail(`shared: ${name} failed`, error);
    }
  }
  return [
    `shared: two processes, ${figure(UNITS_PER_SECOND)} units/s for ${STEADY_MS / 1000} s, ` +
      `then all keys deleted and ${AFTER_MS / 1000} s more`,
    table(HEADER, rows),
  ].join("\n\n");
}

async function share(way: Way): Promise<Shared> {
  const server = await startRedis();
  const redis = new Redis(server.url);
  const assignment = { way, redis: server.url, unitsPerSecond: UNITS_PER_SECOND };
  const sharers: ChildProcess[] = [];
  try {
    for (let process = 0; process < 2; process += 1) sharers.push(await startSharer(assignment));
    const before = await usageOf(redis);
    const startedAt = Date.now();
    for (const sharer of sharers) sharer.send("start");
    await delay(STEADY_MS);
    const after = await usageOf(redis);
    const deletedAt = Date.now();
    await redis.flushall();
    await delay(AFTER_MS);
    const endedAt = Date.now();
    const accounts = await Promise.all(sharers.map(stop));

    const grants = accounts.flatMap((account) => account.grants).sort(([a], [b]) => a - b);
    const steady = between(grants, startedAt, deletedAt);
    const rest = between(grants, deletedAt, endedAt);
    const seconds = (deletedAt - startedAt) / 1_000;
    const units = sum(steady);
    return {
      perSecond: units / seconds,
      first: sum(between(accounts[0]?.grants ?? [], startedAt, deletedAt)) / units,
      mostInASecond: mostWithin(steady, 1_000),
      cpuUsPerUnit:
        (accounts.reduce((all, { cpuMs }) => all + cpuMs, 0) * 1_000) / (units + sum(rest)),
      redisCpuUsPerUnit: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / units,
      commandsPerSecond: (after.commands - before.commands) / seconds,
      perSecondAfter: sum(rest) / ((endedAt - deletedAt) / 1_000),
      mostInASecondAfter: mostWithin(rest, 1_000),
      pauseAfterMs: longestPause([deletedAt, ...rest.map(([at]) => at), endedAt]),
      errors: accounts.flatMap(({ errors }) => errors),
    };
  } finally {
    for (const sharer of sharers) sharer.kill("SIGKILL");
    redis.disconnect();
    await server.stop();
  }
}

async function startSharer(assignment: Assignment): Promise<ChildProcess> {
  const program = join(import.meta.dirname, "../harness/sharer.ts");
  const sharer = fork(program, [JSON.stringify(assignment)]);
  const end = (): void => void sharer.kill("SIGKILL");
  process.once("exit", end);
  sharer.once("exit", () => process.off("exit", end));
  const ended = once(sharer, "exit").then(() => {
    throw new Error("a sharer ended before it began");
  });
  await Promise.race([once(sharer, "message"), ended]);
  ended.catch(() => {});
  return sharer;
}

async function stop(sharer: ChildProcess): Promise<Account> {
  const answer = once(sharer, "message");
  sharer.send("stop");
  // What our own process said.
  return (await answer)[0] as Account;
}

/** Commands that Redis has run, those in scripts among them, and its CPU time. */
async function usageOf(redis: Redis): Promise<{ commands: number; cpuSeconds: number }> {
  const info = `${await redis.info("stats")}\n${await redis.info("cpu")}`;
  const valueOf = (name: string): number =>
    Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1]);
  return {
    commands: valueOf("total_commands_processed"),
    cpuSeconds: valueOf("used_cpu_sys") + valueOf("used_cpu_user"),
  };
}

type Grants = Account["grants"];

function between(grants: Grants, from: number, to: number): Grants {
  return grants.filter(([at]) => at >= from && at < to);
}

function sum(grants: Grants): number {
  return grants.reduce((all, [, units]) => all + units, 0);
}

function mostWithin(grants: Grants, ms: number): number {
  return Math.max(0, ...grants.map(([from]) => sum(between(grants, from, from + ms))));
}

function longestPause(times: readonly number[]): number {
  return Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at)));
}

function row(name: string, result: Shared): string[] {
  const first = 100 * result.first;
  return [
    name,
    figure(result.perSecond),
    `${figure(first)} : ${figure(100 - first)}`,
    figure(result.mostInASecond),
    figure(result.cpuUsPerUnit),
    figure(result.redisCpuUsPerUnit),
    figure(result.commandsPerSecond),
    figure(result.perSecondAfter),
    figure(result.mostInASecondAfter),
    `${figure(result.pauseAfterMs)} ms`,
    figure(result.errors.length),
  ];
}
