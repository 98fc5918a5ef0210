import { setTimeout as delay } from "node:timers/promises";

import type { SandboxOptions } from "../../../src/sandbox/sandbox.ts";
import type { Bench } from "../../harness/bench.ts";
import { limitedSandbox, startRun, timelineOf, untilAdmitted } from "../../harness/limited-run.ts";
import { SMALL } from "../../harness/sized-input.ts";
import { figure } from "../../harness/statistics.ts";
import { trafficOf, worstSecond, type Stretch } from "../../harness/traffic.ts";
import type { Measurement, Row } from "./row.ts";

const MARK = "< 5 calls/s while refused";
const UNDER_WAY_MS = 5_000;
/** Seconds for which every call is refused, one burst after the other. */
const BURSTS_MS = [10_000, 20_000];

/** Whether a run goes on knocking at a door that is shut. */
export const STORM: readonly Row[] = [
  {
    id: "6a",
    title: "bursts of 429 without a header",
    mark: MARK,
    measure: (bench) => measure(bench, "storm-no-header", { profile: "oneapi" }),
  },
  {
    id: "6b",
    title: "bursts of 429 with an empty body",
    mark: MARK,
    measure: (bench) => measure(bench, "storm-empty", { limits: { bodyVariant: "empty" } }),
  },
];

async function measure(bench: Bench, name: string, options: SandboxOptions): Promise<Measurement> {
  const sandbox = await limitedSandbox(options);
  try {
    const plan = { name, items: 20_000, size: SMALL, flags: [] };
    const run = await startRun(bench, sandbox, plan);
    await untilAdmitted(sandbox, run, 1);
    const bursts: Stretch[] = [];
    const pausesMs: number[] = [];
    for (const ms of BURSTS_MS) {
      await delay(UNDER_WAY_MS);
      const from = Date.now();
      sandbox.changeLimits({ ...options.limits, rpm: 0, windowMs: 1000 });
      await delay(ms);
      sandbox.changeLimits(options.limits ?? {});
      bursts.push({ from: Math.floor(from / 100) * 100, to: Date.now() });
      pausesMs.push((await untilAdmitted(sandbox, run, 1)) - from - ms);
    }
    await run.stop();
    const slices = timelineOf(sandbox);
    const rates = bursts.map((burst) => {
      const { refused, seconds } = trafficOf(slices, burst);
      return refused / seconds;
    });
    const worst = Math.max(...bursts.map((burst) => worstSecond(slices, burst)));
    const all = (values: readonly number[]): string =>
      values.map((value) => figure(value, 1)).join(" and ");
    return {
      measured: `${all(rates)} calls/s (at most ${worst} in a second); back after ${all(pausesMs.map((ms) => ms / 1000))} s`,
      met: rates.every((rate) => rate < 5),
    };
  } finally {
    await sandbox.close();
  }
}
