/** Nightshift against a sandbox whose limits are known to the bench. */
import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { type Sandbox, type SandboxOptions, startSandbox } from "../../src/sandbox/sandbox.ts";
import type { Slice } from "../../src/sandbox/timeline.ts";
import { API_KEY, MODEL } from "../peers/task.ts";
import type { Bench } from "./bench.ts";
import { type SizeOf, writeSizedInput } from "./sized-input.ts";
import { plainEnvironment } from "./whole-process.ts";

const KILL_AFTER_MS = 5 * 60_000;
const STOPPED = 3;

/** What is run, and against what. */
export interface LimitedRun {
  /** A name for its files. */
  readonly name: string;
  readonly items: number;
  readonly size: SizeOf;
  readonly flags: readonly string[];
}

/** A `nightshift run` under way. */
export interface Run {
  readonly directory: string;
  /** Its exit code. */
  readonly ended: Promise<number>;
  /** Lets it finish what is in flight. */
  stop(): Promise<void>;
}

/** A sandbox as the cases want it: answers take 200 to 400 ms, a limit holds within each second. */
export async function limitedSandbox(options: SandboxOptions): Promise<Sandbox> {
  return startSandbox({
    latency: { ttftMs: { min: 200, max: 400 } },
    ledger: false,
    ...options,
    limits: { windowMs: 1000, ...options.limits },
  });
}

/** Runs to the end against a sandbox of its own; what that saw. */
export async function runLimited(
  bench: Bench,
  options: SandboxOptions,
  run: LimitedRun,
): Promise<Slice[]> {
  const sandbox = await limitedSandbox(options);
  try {
    const { ended } = await startRun(bench, sandbox, run);
    const code = await ended;
    if (code !== 0) throw new Error(`nightshift ended with ${code}`);
    return timelineOf(sandbox);
  } finally {
    await sandbox.close();
  }
}

/** What the sandbox let the runs do, and what not. */
export function timelineOf(sandbox: Sandbox): Slice[] {
  return sandbox.timeline(API_KEY);
}

/** Starts a run that knows nothing of any run before it. */
export async function startRun(bench: Bench, sandbox: Sandbox, plan: LimitedRun): Promise<Run> {
  const home = join(bench.directory, "limits", plan.name);
  const state = join(home, "state");
  const input = join(home, "input.jsonl");
  const directory = join(home, "run");
  await mkdir(state, { recursive: true });
  await writeSizedInput(input, plan.items, plan.size);
  const args = [bench.cli, "run", input, "--model", MODEL, "--out", directory, "--quiet"];
  const child = spawn(process.execPath, [...args, ...plan.flags], {
    cwd: home,
    env: {
      ...plainEnvironment(),
      NIGHTSHIFT_BASE_URL: sandbox.url,
      NIGHTSHIFT_API_KEY: API_KEY,
      XDG_STATE_HOME: state,
    },
    stdio: ["ignore", "ignore", "pipe"],
    timeout: KILL_AFTER_MS,
    killSignal: "SIGKILL",
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-2000);
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("exit", kill);
      if (code === null || code === 1) {
        reject(new Error(`nightshift ended with ${code ?? signal}\n${stderr}`));
      } else resolve(code);
    });
  });
  // Whoever started it may be waiting for something else when it ends.
  ended.catch(() => {});
  return {
    directory,
    ended,
    async stop() {
      child.kill("SIGTERM");
      const code = await ended;
      if (code !== STOPPED) throw new Error(`nightshift ended with ${code} before it was stopped`);
    },
  };
}

/** Waits until the sandbox has let in so many requests more; milliseconds of the clock. */
export async function untilAdmitted(sandbox: Sandbox, run: Run, requests: number): Promise<number> {
  const admitted = (): number =>
    timelineOf(sandbox).reduce((sum, slice) => sum + slice.admitted, 0);
  const wanted = admitted() + requests;
  const ended = run.ended.then((code) => {
    throw new Error(`nightshift ended with ${code} too early`);
  });
  ended.catch(() => {});
  while (admitted() < wanted) await Promise.race([delay(50), ended]);
  return Date.now();
}
