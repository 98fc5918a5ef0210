import { spawn } from "node:child_process";
import { createReadStream, readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

import type { ProcessUsage } from "../measure.ts";
import type { Assignment, Contender } from "./contenders.ts";
import { startRedis } from "./service.ts";

const KILL_AFTER_MS = 30 * 60_000;
const NEWLINE = 10;

/** One process from spawn to exit. */
export interface Measured extends ProcessUsage {
  readonly seconds: number;
  /** On the clock of `performance.now()`. */
  readonly spawnedAt: number;
}

/** Runs a contender over an input in a process of its own; throws unless every item was answered. */
export async function runWhole(
  contender: Contender,
  assignment: Omit<Assignment, "redis">,
): Promise<Measured> {
  await mkdir(assignment.directory, { recursive: true });
  const redis = contender.needsRedis ? await startRedis() : undefined;
  try {
    const command = contender.command({ ...assignment, redis: redis?.url ?? "" });
    const measured = await spawnMeasured(contender.name, command.args, command.env, assignment);
    const answered = await countLines(command.results);
    if (answered !== assignment.items) {
      throw new Error(`${contender.name} answered ${answered} of ${assignment.items} items`);
    }
    return measured;
  } finally {
    await redis?.stop();
    await rm(assignment.directory, { recursive: true });
  }
}

async function spawnMeasured(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { directory }: Pick<Assignment, "directory">,
): Promise<Measured> {
  const usageFile = join(directory, "usage-of-process.json");
  const hook = join(import.meta.dirname, "../dist/measure.js");
  const spawnedAt = performance.now();
  const child = spawn(process.execPath, ["--import", hook, ...args], {
    cwd: directory,
    env: {
      ...plainEnvironment(),
      // What one run learned must not help the next.
      XDG_STATE_HOME: join(directory, "state"),
      ...env,
      BENCH_USAGE_FILE: usageFile,
    },
    stdio: ["ignore", "ignore", "pipe"],
    timeout: KILL_AFTER_MS,
    killSignal: "SIGKILL",
  });
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-2000);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const seconds = (performance.now() - spawnedAt) / 1000;
  process.off("exit", end);
  if (code !== 0) throw new Error(`${name} ended with ${code ?? "a signal"}\n${stderr}`);
  // Written by our own hook a moment ago.
  const usage = JSON.parse(readFileSync(usageFile, "utf8")) as ProcessUsage;
  return { ...usage, seconds, spawnedAt };
}

/** No proxies, keys or Node options of the user's own. */
export function plainEnvironment(): Record<string, string> {
  const kept = ["PATH", "HOME", "TMPDIR", "LANG"];
  return Object.fromEntries(kept.flatMap((name) => entryOf(name)));
}

function entryOf(name: string): [string, string][] {
  const value = process.env[name];
  return value === undefined ? [] : [[name, value]];
}

async function countLines(path: string): Promise<number> {
  let lines = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    for (const byte of chunk) if (byte === NEWLINE) lines += 1;
  }
  return lines;
}
