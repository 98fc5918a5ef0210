import { Governor } from "../../../src/gateway/governor.ts";
import type { Verdict } from "../../../src/gateway/verdict.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { systemRandom } from "../../../src/system/random.ts";
import { figure } from "../../harness/statistics.ts";
import type { Row } from "./row.ts";

const ITEMS = 200_000;
const WARM_UP = 20_000;
const AT_ONCE = 64;
const MOST_MS = 0.05;

const COMPLETED: Verdict = {
  class: "completed",
  summary: { model: "gpt-4o-mini", finishReason: "stop", usage: null },
  response: { status: 200, requestId: null, body: "{}" },
};

/** What asking for leave costs where there is nothing to wait for. */
export const COST: Row = {
  id: "9",
  title: "the governor's own cost, nothing limited",
  mark: "<= 0.05 ms CPU per item",
  async measure() {
    const governor = new Governor({
      concurrency: AT_ONCE,
      rpm: null,
      tpm: null,
      clock: systemClock,
      random: systemRandom,
    });
    try {
      await passThrough(governor, WARM_UP);
      const before = threadMs();
      await passThrough(governor, ITEMS);
      const ms = (threadMs() - before) / ITEMS;
      return { measured: `${figure(ms, 4)} ms`, met: ms <= MOST_MS };
    } finally {
      await governor.close();
    }
  },
};

async function passThrough(governor: Governor, items: number): Promise<void> {
  const { signal } = new AbortController();
  let left = items;
  const caller = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const permit = await governor.enter(() => 500, signal);
      permit.report(COMPLETED, 500);
      permit.free();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
