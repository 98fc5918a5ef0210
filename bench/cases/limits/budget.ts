import { limitedSandbox, startRun } from "../../harness/limited-run.ts";
import { MIXED } from "../../harness/sized-input.ts";
import { figure } from "../../harness/statistics.ts";
import { percent, type Row } from "./row.ts";

const BUDGET = 1_000_000;
const STOPPED = 3;

/** Whether a budget holds with many calls in flight. The gateway's own bill decides. */
export const BUDGET_ROW: Row = {
  id: "8",
  title: "budget of 1 000 000 tokens, up to 500 in flight",
  mark: "never crossed, >= 97 % used",
  async measure(bench) {
    const sandbox = await limitedSandbox({});
    try {
      const flags = ["--budget-tokens", String(BUDGET), "--concurrency", "500"];
      const plan = { name: "budget", items: 2500, size: MIXED, flags };
      const code = await (await startRun(bench, sandbox, plan)).ended;
      if (code !== STOPPED) throw new Error(`nightshift ended with ${code}, not ${STOPPED}`);
      const { billedTokens, inFlightMax } = sandbox.stats();
      const used = billedTokens / BUDGET;
      return {
        measured: `${percent(used)} used, at most ${figure(inFlightMax)} in flight`,
        met: used <= 1 && used >= 0.97,
      };
    } finally {
      await sandbox.close();
    }
  },
};
