import { setTimeout as sleep } from "node:timers/promises";

import { Link } from "../e2e/support/link.ts";
import { hasRedisServer, RedisServer } from "../e2e/support/redis-server.ts";
import { reviewsCsv, reviewsJob } from "../e2e/support/reviews.ts";
import { atLeast, atMost, type Drill, exactly, told } from "./support/finding.ts";
import { checkOutcomes, paidTwice } from "./support/outcomes.ts";
import { wait } from "./support/wait.ts";

const CONCURRENCY = 16;
/** Four for each call in flight. */
const IN_HAND = 4 * CONCURRENCY;
const CUT_MS = 60_000;
const SHORT_CUT_MS = 32_000;
/** So long that much of what the owner has in hand still waits for its call when its holds run out. */
const LATENCY_MS = 12_000;
const HOLD_MS = 20_000;
/** After a look each second. */
const LET_GO_MS = HOLD_MS + 1_000;
const OWNERS_KEY = "sk-owner";

/** The link between an owner that also works and Redis is cut for a minute; a worker goes on. */
export const cutOwner: Drill = async (site, { short }) => {
  if (!hasRedisServer) return { skipped: "this machine has no redis-server" };
  const cutMs = short ? SHORT_CUT_MS : CUT_MS;
  const items = short ? 200 : 240;
  const redis = await RedisServer.start();
  site.closing(() => redis[Symbol.asyncDispose]());
  const link = await Link.open(redis.address.replace("unix://", ""));
  site.closing(() => link.close());
  const gateway = await site.serve({
    latency: { ttftMs: LATENCY_MS, jitter: 0.2 },
    keys: { "sk-demo": {}, [OWNERS_KEY]: {} },
  });
  await site.write("reviews.csv", reviewsCsv(items));
  await site.write("reviews.yaml", reviewsJob());

  const owner = site.start(["run", "reviews.yaml", "--concurrency", String(CONCURRENCY)], {
    NIGHTSHIFT_REDIS_URL: `redis://127.0.0.1:${link.port}`,
    NIGHTSHIFT_API_KEY: OWNERS_KEY,
  });
  const callsOfOwner = (from: number, to: number): number =>
    gateway
      .timeline(OWNERS_KEY)
      .filter(({ at }) => at >= from && at < to)
      .reduce((sum, { admitted }) => sum + admitted, 0);
  const begun = await wait(() => gateway.stats().inFlight === CONCURRENCY, 30_000);
  if (begun === null) throw new Error(`the owner did not begin: ${owner.stderr}`);
  const worker = site.start(["worker", "--concurrency", String(CONCURRENCY)], {
    NIGHTSHIFT_REDIS_URL: redis.address,
  });
  const busy = await wait(() => gateway.stats().inFlight === 2 * CONCURRENCY, 30_000);
  if (busy === null) throw new Error("the worker did not begin");
  link.cut();
  const cutAt = Date.now();
  await sleep(cutMs);
  const mendedAt = Date.now();
  link.mend();
  const { code, stderr } = await owner.exit;
  if (code !== 0) console.error(stderr);
  worker.kill("SIGTERM");
  const end = await worker.exit;
  const [run] = await site.runs();
  if (run === undefined) throw new Error("no run directory");
  return [
    told("items", items),
    told("seconds without a link", cutMs / 1_000),
    exactly("exit of the owner", code ?? -1, 0),
    exactly("exit of the worker", end.code ?? -1, 0),
    ...(await checkOutcomes(site, run, items)),
    told("calls of the owner while it was sure of its items", callsOfOwner(cutAt, cutAt + HOLD_MS)),
    exactly(
      "calls of the owner after that, until the link was back",
      callsOfOwner(cutAt + LET_GO_MS, mendedAt),
      0,
    ),
    atLeast("calls of the owner when the link was back", callsOfOwner(mendedAt, Infinity), 1),
    // What it has answered meanwhile is on its disk, but Redis does not know.
    atMost("items paid twice", paidTwice(gateway.ledger()), IN_HAND),
  ];
};
