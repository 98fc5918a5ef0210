import { once } from "node:events";
import { Worker } from "node:worker_threads";

import type { FuzzOrder, FuzzReport } from "./fuzz-thread.ts";
import { atMost, type Drill, exactly, type Finding, mustBe, told } from "./support/finding.ts";
import type { Site } from "./support/site.ts";

/** A case that has not ended after this long never would. */
const HANGS_AFTER_MS = 20_000;
const SLOW_MS = 2_000;

/** Shares of the cases. */
const PROPERTIES = { tables: 0.4, mutations: 0.4, bytes: 0.2 } as const;

/** Reads files of every kind, sound and broken, in a thread that can be ended should it hang. */
export const fuzz: Drill = async (site, { seed, short }) => {
  const cases = short ? 300 : 10_000;
  const findings: Finding[] = [];
  for (const name of ["tables", "mutations", "bytes"] as const) {
    const order = { name, cases: cases * PROPERTIES[name], seed, directory: site.directory };
    findings.push(...(await fuzzOne(site, order)));
  }
  return findings;
};

async function fuzzOne(site: Site, order: FuzzOrder): Promise<Finding[]> {
  const thread = new Worker(new URL("./fuzz-thread.ts", import.meta.url), { workerData: order });
  site.closing(async () => void (await thread.terminate()));
  let cases = 0;
  let slowestMs = 0;
  let heardAt = performance.now();
  const reported = new Promise<FuzzReport>((resolve, reject) => {
    thread.on("message", (message: FuzzReport | "ready" | "case") => {
      if (typeof message === "object") return resolve(message);
      const now = performance.now();
      if (message === "case") {
        slowestMs = Math.max(slowestMs, now - heardAt);
        cases += 1;
      }
      heardAt = now;
    });
    thread.on("error", reject);
  });
  const watch = setInterval(() => {
    if (performance.now() - heardAt > HANGS_AFTER_MS) void thread.terminate();
  }, 500);
  const ended = once(thread, "exit").then(() => ({ failure: "hung", accepted: 0, refused: 0 }));
  const { failure, accepted, refused } = await Promise.race([reported, ended]);
  clearInterval(watch);
  if (failure !== null) console.error(`${order.name}: ${failure}`);
  return [
    told(order.name, `${accepted} read, ${refused} refused`),
    exactly("· cases", cases, order.cases),
    mustBe("· as they should be", failure === null, "no"),
    atMost("· slowest", slowestMs / 1000, SLOW_MS / 1000, " s"),
  ];
}
