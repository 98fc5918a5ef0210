import { setTimeout as delay } from "node:timers/promises";

import type { Slice } from "../../../src/sandbox/timeline.ts";
import {
  limitedSandbox,
  runLimited,
  startRun,
  timelineOf,
  untilAdmitted,
} from "../../harness/limited-run.ts";
import { SMALL } from "../../harness/sized-input.ts";
import { busyStretch, refusedShare, trafficOf, type Stretch } from "../../harness/traffic.ts";
import { percent, type Row } from "./row.ts";

const RPM = 6000;
const WARMING_UP_MS = 15_000;
const BEFORE_THE_CHANGE_MS = 30_000;
const BETWEEN_CHANGES_MS = 35_000;
const FINDING_OUT_MS = 20_000;

/** Its refusals name neither a rate nor a time. */
const SILENT = "oneapi";

/** How much of a limit on requests is used, told or not, steady or not. */
export const RATES: readonly Row[] = [
  {
    id: "1",
    title: "6 000 requests/min, known",
    mark: ">= 95 % used, <= 1 % refused",
    async measure(bench) {
      const slices = await runLimited(
        bench,
        { limits: { rpm: RPM } },
        { name: "known", items: 3000, size: SMALL, flags: ["--rpm", String(RPM)] },
      );
      const used = usedOf(slices, busyStretch(slices), RPM);
      const refused = refusedShare(slices);
      return {
        measured: `${percent(used)} used, ${percent(refused)} refused`,
        met: used >= 0.95 && refused <= 0.01,
      };
    },
  },
  {
    id: "2",
    title: "the same, unknown, from a cold start",
    mark: ">= 80 % used, >= 92 % after 15 s, <= 5 % refused",
    async measure(bench) {
      const slices = await runLimited(
        bench,
        { limits: { rpm: RPM }, profile: SILENT },
        { name: "unknown", items: 4000, size: SMALL, flags: ["--concurrency", "128"] },
      );
      const { from, to } = busyStretch(slices);
      const used = usedOf(slices, { from, to }, RPM);
      const later = usedOf(slices, { from: from + WARMING_UP_MS, to }, RPM);
      const refused = refusedShare(slices);
      return {
        measured: `${percent(used)} used, ${percent(later)} after 15 s, ${percent(refused)} refused`,
        met: used >= 0.8 && later >= 0.92 && refused <= 0.05,
      };
    },
  },
  {
    id: "3",
    title: "the limit halves, then doubles back, unknown",
    mark: ">= 85 % used from 20 s after each change, <= 5 % refused",
    async measure(bench) {
      const sandbox = await limitedSandbox({ limits: { rpm: RPM }, profile: SILENT });
      try {
        const flags = ["--concurrency", "128"];
        const plan = { name: "change", items: 15_000, size: SMALL, flags };
        const run = await startRun(bench, sandbox, plan);
        await untilAdmitted(sandbox, run, 1);
        await delay(BEFORE_THE_CHANGE_MS);
        sandbox.changeLimits({ rpm: RPM / 2, windowMs: 1000 });
        const halved = Date.now();
        await delay(BETWEEN_CHANGES_MS);
        sandbox.changeLimits({ rpm: RPM, windowMs: 1000 });
        const doubled = Date.now();
        await delay(BETWEEN_CHANGES_MS);
        const end = Date.now();
        await run.stop();
        const slices = timelineOf(sandbox);
        const low = usedOf(slices, { from: halved + FINDING_OUT_MS, to: doubled }, RPM / 2);
        const high = usedOf(slices, { from: doubled + FINDING_OUT_MS, to: end }, RPM);
        const refused = refusedShare(slices);
        return {
          measured: `${percent(low)} used after halving, ${percent(high)} after doubling, ${percent(refused)} refused`,
          met: low >= 0.85 && high >= 0.85 && refused <= 0.05,
        };
      } finally {
        await sandbox.close();
      }
    },
  },
];

function usedOf(slices: readonly Slice[], stretch: Stretch, perMinute: number): number {
  const { admitted, seconds } = trafficOf(slices, stretch);
  return admitted / ((perMinute / 60) * seconds);
}
