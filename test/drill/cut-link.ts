import { setTimeout as sleep } from "node:timers/promises";

import { Link } from "../e2e/support/link.ts";
import { hasRedisServer, RedisServer } from "../e2e/support/redis-server.ts";
import { reviewsCsv, reviewsJob } from "../e2e/support/reviews.ts";
import { atMost, type Drill, exactly, mustBe, told } from "./support/finding.ts";
import { checkOutcomes, paidTwice } from "./support/outcomes.ts";
import { wait } from "./support/wait.ts";

const CONCURRENCY = 16;
const CUT_MS = 60_000;
/** Longer than a lock lasts and a look for lost ones takes: others must have taken over. */
const SHORT_CUT_MS = 32_000;
const LATENCY_MS = 400;

/** The link between one worker and Redis is cut for a minute while another goes on. */
export const cutLink: Drill = async (site, { short }) => {
  if (!hasRedisServer) return { skipped: "this machine has no redis-server" };
  const cutMs = short ? SHORT_CUT_MS : CUT_MS;
  // Enough for both to have work until well after the link is back.
  const items = Math.ceil((1.6 * cutMs * CONCURRENCY) / LATENCY_MS);
  const redis = await RedisServer.start();
  site.closing(() => redis[Symbol.asyncDispose]());
  const link = await Link.open(redis.address.replace("unix://", ""));
  site.closing(() => link.close());
  const gateway = await site.serve({ latency: { ttftMs: LATENCY_MS, jitter: 0.2 } });
  await site.write("reviews.csv", reviewsCsv(items));
  await site.write("reviews.yaml", reviewsJob());

  const worker = ["worker", "--concurrency", String(CONCURRENCY)];
  const far = site.start([...worker, "--json"], {
    NIGHTSHIFT_REDIS_URL: `redis://127.0.0.1:${link.port}`,
  });
  const near = site.start(worker, { NIGHTSHIFT_REDIS_URL: redis.address });
  const owner = site.start(["run", "reviews.yaml", "--no-worker"], {
    NIGHTSHIFT_REDIS_URL: redis.address,
  });
  const busy = await wait(() => gateway.stats().billedRequests > 4 * CONCURRENCY, 30_000);
  if (busy === null) throw new Error("the workers did not begin");
  link.cut();
  await sleep(cutMs);
  const doneByFar = completedBy(far.stdout);
  link.mend();
  const delivered = await wait(() => completedBy(far.stdout) > doneByFar, 30_000);
  const { code } = await owner.exit;
  for (const process of [far, near]) process.kill("SIGTERM");
  const codes = await Promise.all([far, near].map(async ({ exit }) => (await exit).code));
  const [run] = await site.runs();
  if (run === undefined) throw new Error("no run directory");
  return [
    told("items", items),
    told("seconds without a link", cutMs / 1_000),
    exactly("exit of the owner", code ?? -1, 0),
    exactly("workers that did not exit with 0", codes.filter((each) => each !== 0).length, 0),
    ...(await checkOutcomes(site, run, items)),
    mustBe("the cut worker delivered when the link was back", delivered !== null, "no"),
    // What it had in flight when the link was cut is taken over elsewhere meanwhile.
    atMost("items paid twice", paidTwice(gateway.ledger()), CONCURRENCY),
  ];
};

/** Outcomes that a worker has brought to Redis, as it says itself. */
function completedBy(events: string): number {
  return Number(/.*"completed":(\d+)/s.exec(events)?.[1] ?? 0);
}
