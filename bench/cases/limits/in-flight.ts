import { runLimited } from "../../harness/limited-run.ts";
import { SMALL } from "../../harness/sized-input.ts";
import { busyStretch, refusedShare, trafficOf } from "../../harness/traffic.ts";
import { percent, type Row } from "./row.ts";

const AT_ONCE = 20;

/** How much of a limit on calls in flight is used. */
export const IN_FLIGHT: Row = {
  id: "5",
  title: "20 in flight are the limit, unknown",
  mark: ">= 90 % used, <= 3 % refused",
  async measure(bench) {
    const slices = await runLimited(
      bench,
      { limits: { maxConcurrency: AT_ONCE }, profile: "sub2api" },
      { name: "in-flight", items: 3000, size: SMALL, flags: ["--concurrency", "128"] },
    );
    const used = trafficOf(slices, busyStretch(slices)).inFlight / AT_ONCE;
    const refused = refusedShare(slices);
    return {
      measured: `${percent(used)} used, ${percent(refused)} refused`,
      met: used >= 0.9 && refused <= 0.03,
    };
  },
};
