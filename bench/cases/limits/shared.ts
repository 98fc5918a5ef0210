import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { limitedSandbox, startRun, timelineOf } from "../../harness/limited-run.ts";
import { hasRedis, startRedis } from "../../harness/service.ts";
import { SMALL } from "../../harness/sized-input.ts";
import { refusedShare } from "../../harness/traffic.ts";
import { percent, type Row } from "./row.ts";

const RPM = 6000;
const ITEMS_EACH = 2000;
/** As for the other rows, the rest is the drain tail. */
const BEFORE_THE_TAIL = 0.98;

/** Whether processes that use one account at the same time keep to its limit together. */
export const SHARED: Row = {
  id: "7",
  title: "two processes, one limit of 6 000/min",
  mark: "92-101 % used together, each >= 40 % of it",
  async measure(bench) {
    if (!(await hasRedis())) throw new Error("no redis-server on this machine");
    const redis = await startRedis();
    const sandbox = await limitedSandbox({ limits: { rpm: RPM } });
    try {
      const flags = ["--rpm", String(RPM), "--redis", redis.url];
      const runs = await Promise.all(
        ["shared-a", "shared-b"].map((name) =>
          startRun(bench, sandbox, { name, items: ITEMS_EACH, size: SMALL, flags }),
        ),
      );
      const codes = await Promise.all(runs.map(({ ended }) => ended));
      if (codes.some((code) => code !== 0)) throw new Error(`they ended with ${codes.join()}`);
      const admitted = await Promise.all(runs.map(({ directory }) => admittedSeconds(directory)));
      const { used, shares } = together(admitted);
      const refused = refusedShare(timelineOf(sandbox));
      return {
        measured: `${percent(used)} used, ${shares.map(percent).join(" and ")} of it; ${percent(refused)} refused`,
        met: used >= 0.92 && used <= 1.01 && shares.every((share) => share >= 0.4),
      };
    } finally {
      await sandbox.close();
      await redis.stop();
    }
  },
};

/** The second in which the gateway let in each item of a run, in order: its answer says so. */
async function admittedSeconds(directory: string): Promise<number[]> {
  const lines = createInterface({ input: createReadStream(join(directory, "results.jsonl")) });
  const seconds: number[] = [];
  for await (const line of lines) {
    // The shape of a line is part of what is measured here.
    const result = JSON.parse(line) as { response: { body: { created: number } } };
    seconds.push(result.response.body.created);
  }
  return seconds.sort((a, b) => a - b);
}

/** What both did in the whole seconds in which both were at work. */
function together(admitted: readonly (readonly number[])[]): { used: number; shares: number[] } {
  const from = Math.max(...admitted.map((seconds) => seconds[0] ?? 0)) + 1;
  const to = Math.min(
    ...admitted.map((seconds) => seconds[Math.floor(seconds.length * BEFORE_THE_TAIL)] ?? 0),
  );
  const counts = admitted.map(
    (seconds) => seconds.filter((second) => second >= from && second < to).length,
  );
  const sum = counts.reduce((a, b) => a + b, 0);
  return { used: sum / ((RPM / 60) * (to - from)), shares: counts.map((count) => count / sum) };
}
