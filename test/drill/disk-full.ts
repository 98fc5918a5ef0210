import { execFileSync } from "node:child_process";
import { cp, mkdir } from "node:fs/promises";

import { reviewsCsv, reviewsJob } from "../e2e/support/reviews.ts";
import { RunDirectory } from "../e2e/support/run-directory.ts";
import { atMost, type Drill, exactly, type Finding, mustBe } from "./support/finding.ts";
import { checkOutcomes, checkTokens, paidTwice } from "./support/outcomes.ts";
import { quiet } from "./support/wait.ts";

const CONCURRENCY = 64;
const COMMAND = ["run", "reviews.yaml", "--concurrency", String(CONCURRENCY)];

/** Lets the disk of the run directory fill up, again and again, and gives it room each time. */
export const diskFull: Drill = async (site, { short }) => {
  const items = short ? 2_000 : 20_000;
  // An item's line takes about 800 bytes: the disk is full early, in the middle, and at the output.
  const sizes = short ? ["400k", "1100k"] : ["1m", "8m", "16m"];
  const disk = site.path("disk");
  await mkdir(disk);
  try {
    mount("-t", "tmpfs", "-o", `size=${sizes[0]}`, "drill", disk);
  } catch {
    return { skipped: "this user may not mount a small disk (root may)" };
  }
  site.closing(() => keepAndUnmount(disk));

  const gateway = await site.serve({ latency: { ttftMs: 10, jitter: 0.5 } });
  await site.write("reviews.csv", reviewsCsv(items));
  await site.write("reviews.yaml", reviewsJob("out: disk/run"));
  const run = new RunDirectory(site.path("disk/run"));
  const findings: Finding[] = [];
  let recorded = 0;
  for (const size of sizes) {
    mount("-o", `remount,size=${size}`, disk);
    const { code, stderr } = await site.nightshift(COMMAND);
    await quiet(gateway);
    const lost = recorded - (await run.completed());
    recorded = await run.completed();
    findings.push(
      exactly(`exit with ${size}`, code ?? -1, 3),
      mustBe("· says that there is no room", /no room left/i.test(stderr), stderr.slice(-200)),
      exactly("· answers lost", Math.max(0, lost), 0),
      atMost("· paid and not recorded", unrecorded(gateway.ledger(), recorded), CONCURRENCY),
    );
  }
  const callsBefore = gateway.stats().requests;
  const still = await site.nightshift(COMMAND);
  findings.push(
    exactly("exit when run again without room", still.code ?? -1, 3),
    atMost("· calls it made", gateway.stats().requests - callsBefore, CONCURRENCY),
  );

  mount("-o", "remount,size=256m", disk);
  const { code, stderr } = await site.nightshift(COMMAND);
  if (code !== 0) console.error(stderr);
  const calls = gateway.ledger();
  return [
    ...findings,
    exactly("exit with room enough", code ?? -1, 0),
    ...(await checkOutcomes(site, run, items)),
    exactly("failed items", (await run.errors()).length, 0),
    await checkTokens(run, calls),
    atMost("items paid twice", paidTwice(calls), (sizes.length + 1) * CONCURRENCY),
  ];
};

/** Items that were paid for and have no line. */
function unrecorded(
  calls: readonly { readonly billed: boolean; readonly row: string }[],
  recorded: number,
): number {
  return new Set(calls.filter(({ billed }) => billed).map(({ row }) => row)).size - recorded;
}

/** What was on the disk stays beside it, for whoever looks into a failure. */
async function keepAndUnmount(disk: string): Promise<void> {
  await cp(disk, `${disk}.kept`, { recursive: true });
  execFileSync("umount", ["-l", disk]);
}

function mount(...args: readonly string[]): void {
  execFileSync("mount", args, { stdio: ["ignore", "ignore", "pipe"] });
}
