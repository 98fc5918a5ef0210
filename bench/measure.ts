/**
 * Preloaded into every measured process (`node --import`): writes at exit what the process used.
 * Worker threads load it too, and children inherit the environment; only the first process writes.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

/** What a process says about itself at exit. */
export interface ProcessUsage {
  /** User and system time of all threads. */
  readonly cpuMs: number;
  /** The same of the main thread alone; null where Node cannot tell. */
  readonly mainThreadMs: number | null;
  /** Share of the time the main thread's event loop was busy, 0 to 1. */
  readonly loopBusy: number;
  readonly peakRssBytes: number;
}

const file = process.env["BENCH_USAGE_FILE"];

if (isMainThread && file !== undefined) {
  delete process.env["BENCH_USAGE_FILE"];
  process.once("exit", () => writeFileSync(file, JSON.stringify(usageOfThisProcess())));
}

function usageOfThisProcess(): ProcessUsage {
  const all = process.cpuUsage();
  const main = "threadCpuUsage" in process ? process.threadCpuUsage() : undefined;
  return {
    cpuMs: (all.user + all.system) / 1000,
    mainThreadMs: main === undefined ? null : (main.user + main.system) / 1000,
    loopBusy: performance.eventLoopUtilization().utilization,
    peakRssBytes: peakRssBytes(),
  };
}

/** On Linux `maxRSS` starts at the size of the process that spawned this one; VmHWM does not. */
function peakRssBytes(): number {
  try {
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    if (found !== null) return Number(found[1]) * 1024;
  } catch {
    // No /proc on this system.
  }
  return process.resourceUsage().maxRSS * 1024;
}
