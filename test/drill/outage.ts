import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { reviewsCsv, reviewsJob } from "../e2e/support/reviews.ts";
import { RunDirectory } from "../e2e/support/run-directory.ts";
import { atMost, type Drill, exactly, type Finding, told } from "./support/finding.ts";
import { checkOutcomes } from "./support/outcomes.ts";
import { billed, wait } from "./support/wait.ts";

const GATEWAY = { latency: { ttftMs: 20, jitter: 0.5 } };
const BACK_WITHIN_MS = 5_000;

/** Takes the gateway away in the middle of a run, and brings it back. */
export const outage: Drill = async (site, { short }) => {
  const [items, awayMs] = short ? [1_000, 3_000] : [3_000, 25_000];
  await site.write("reviews.csv", reviewsCsv(items));
  await site.write("reviews.yaml", reviewsJob("out: run"));
  const before = await site.serve(GATEWAY);
  const running = site.start(["run", "reviews.yaml", "--attempts", "3"]);
  await billed(before, items / 3, running);

  await before.close();
  const arrivals = await refuseFor(awayMs, before.port);
  const after = await site.serve({ ...GATEWAY, port: before.port });
  const back = await wait(() => running.hasEnded || after.stats().billedRequests > 0, 90_000);
  const { code, stderr } = await running.exit;
  if (code !== 0) console.error(stderr);

  const run = new RunDirectory(site.path("run"));
  const findings: Finding[] = [
    exactly("exit", code ?? -1, 0),
    exactly("failed items", (await run.errors()).length, 0),
    ...(await checkOutcomes(site, run, items)),
    // The breaker opens after ten failures in a row: until then calls are made as before, and
    // would be most of what comes in a short outage.
    told("connections in the first second", arrivals.filter(isEarly).length),
    ...(short ? [] : [atMost("connections", (arrivals.length / awayMs) * 1000, 5, "/s")]),
    atMost("most in a second after it", mostWithin(arrivals.filter(isLate), 1_000), 5),
    atMost("answers again after", (back ?? Infinity) / 1000, BACK_WITHIN_MS / 1000, " s"),
  ];
  return findings;
};

function isEarly(ms: number): boolean {
  return ms < 1_000;
}

function isLate(ms: number): boolean {
  return !isEarly(ms);
}

/** Resets every connection to the port, and tells after how many milliseconds each came. */
async function refuseFor(ms: number, port: number): Promise<number[]> {
  const arrivals: number[] = [];
  const began = performance.now();
  const server = createServer((socket) => {
    arrivals.push(performance.now() - began);
    socket.on("error", () => {});
    socket.resetAndDestroy();
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  await sleep(ms);
  const closed = once(server, "close");
  server.close();
  await closed;
  return arrivals;
}

function mostWithin(moments: readonly number[], ms: number): number {
  return Math.max(
    0,
    ...moments.map((from) => moments.filter((at) => at >= from && at < from + ms).length),
  );
}
