import { spawn } from "node:child_process";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { type Sandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { seededRandom } from "../../../src/system/random.ts";
import { figure } from "../../harness/statistics.ts";
import { plainEnvironment } from "../../harness/whole-process.ts";
import { API_KEY } from "../../peers/task.ts";
import type { Row } from "../limits/row.ts";
import {
  commandOf,
  type Night,
  type Nights,
  openNights,
  runDirectory,
  runNight,
  textOf,
  writeTexts,
  wrongAnswers,
} from "./nights.ts";

const ITEMS = 50_000;
const TIMES_REPEATED = 5;
/** 1 % of all calls. */
const CHAOS = { "500": 0.004, reset: 0.003, error200: 0.003 };
const SEED = 1688;
const KILL_AT_BYTES = 2_000_000;

export const SHARED_ANSWERS: Row = {
  id: "2",
  title: "five times the same, shuffled, faults, kill -9",
  mark: "one paid answer for each distinct request, and after the kill those in flight at most",
  async measure(bench) {
    const items = bench.items ?? ITEMS;
    const distinct = Math.ceil(items / TIMES_REPEATED);
    const sandbox = await startSandbox({
      ledger: false,
      chaos: CHAOS,
      latency: { ttftMs: { min: 5, max: 15 } },
    });
    try {
      const nights = await openNights(bench, sandbox.url, "shared");
      const texts = shuffled(items, distinct);
      await writeTexts(nights.input, texts);
      const night: Night = { name: "one", flags: ["--dedupe"], items };
      const results = join(runDirectory(nights, night), "results.jsonl");
      await runUntilKilled(nights, night, results);
      await untilQuiet(sandbox);
      await runNight(nights, night);
      const { billedRequests: paid } = sandbox.stats();
      const wrong = await wrongAnswers(results, texts);
      return {
        measured:
          `${figure(paid)} paid answers to ${figure(distinct)} requests, ` +
          `${paid - distinct} after the kill again (${bench.concurrency} in flight), ${wrong} of ${figure(items)} items wrong`,
        met: paid - distinct <= bench.concurrency && wrong === 0,
      };
    } finally {
      await sandbox.close();
    }
  },
};

function shuffled(items: number, distinct: number): string[] {
  const random = seededRandom(SEED);
  const texts = Array.from({ length: items }, (_, index) => textOf(`review ${index % distinct}:`));
  for (let at = items - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [texts[at], texts[other]] = [texts[other] ?? "", texts[at] ?? ""];
  }
  return texts;
}

async function runUntilKilled(nights: Nights, night: Night, results: string): Promise<void> {
  const child = spawn(process.execPath, commandOf(nights, night), {
    cwd: nights.directory,
    env: {
      ...plainEnvironment(),
      XDG_STATE_HOME: join(nights.directory, "state"),
      NIGHTSHIFT_BASE_URL: nights.gateway,
      NIGHTSHIFT_API_KEY: API_KEY,
    },
    stdio: "ignore",
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  while (child.exitCode === null && (await sizeOf(results)) < KILL_AT_BYTES) await delay(10);
  if (!child.kill("SIGKILL")) throw new Error("the run ended before it could be killed");
  await exited;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0;
}

async function untilQuiet(sandbox: Sandbox): Promise<void> {
  while (sandbox.stats().inFlight > 0) await delay(10);
}
