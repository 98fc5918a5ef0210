import { setTimeout as sleep } from "node:timers/promises";

import { Link } from "../e2e/support/link.ts";
import { Running } from "../e2e/support/process.ts";
import { hasRedisServer } from "../e2e/support/redis-server.ts";
import { reviewsCsv, reviewsJob } from "../e2e/support/reviews.ts";
import { atMost, type Drill, exactly, told } from "./support/finding.ts";
import { makeHosts, mayMakeHosts } from "./support/namespaces.ts";
import { checkOutcomes, paidTwice } from "./support/outcomes.ts";
import { wait } from "./support/wait.ts";

const CONCURRENCY = 16;
const REDIS_PORT = 6379;
const CUT_MS = 30_000;
const HOURS_WRONG = 5;

/**
 * A Redis, a runner and three workers on hosts of their own: one link is cut and comes back, one is
 * slow and lossy where the kernel can do that, and one clock is wrong by hours.
 */
export const hosts: Drill = async (site, { short }) => {
  if (!hasRedisServer) return { skipped: "this machine has no redis-server" };
  if (!mayMakeHosts()) return { skipped: "network namespaces need root (ip netns)" };
  const items = short ? 5_000 : 20_000;
  const { hosts: made, close } = makeHosts(5);
  site.closing(() => Promise.resolve(close()));
  const [redisHost, runner, cut, slow, wrong] = made;
  if (!redisHost || !runner || !cut || !slow || !wrong) throw new Error("no hosts");

  const gateway = await site.serve({ latency: { ttftMs: 200, jitter: 0.3 } });
  const way = await Link.open({ port: Number(new URL(gateway.url).port) }, "10.173.90.1");
  site.closing(() => way.close());
  const variables = {
    NIGHTSHIFT_BASE_URL: `http://10.173.90.1:${way.port}/v1`,
    NIGHTSHIFT_REDIS_URL: `redis://${redisHost.address}:${REDIS_PORT}`,
  };
  const [file = "", ...enter] = redisHost.enter;
  const flags = ["--bind", redisHost.address, "--protected-mode", "no", "--save", ""];
  const redis = new Running(file, [...enter, "redis-server", ...flags], {
    cwd: site.directory,
    env: { PATH: process.env["PATH"] ?? "" },
  });
  site.closing(() => redis[Symbol.asyncDispose]());
  const ready = await wait(() => redis.stdout.includes("eady to accept"), 10_000);
  if (ready === null) throw new Error(`Redis did not start: ${redis.stdout}`);

  await site.write("reviews.csv", reviewsCsv(items));
  await site.write("reviews.yaml", reviewsJob());
  const isSlow = slow.degrade(150, 2);
  const worker = ["worker", "--concurrency", String(CONCURRENCY)];
  const shift = `const now=Date.now;Date.now=()=>now()+${HOURS_WRONG}*3600e3`;
  const workers = [
    site.start(worker, variables, cut.enter),
    site.start(worker, variables, slow.enter),
    site.start(
      worker,
      { ...variables, NODE_OPTIONS: `--import="data:text/javascript,${shift}"` },
      wrong.enter,
    ),
  ];
  const owner = site.start(["run", "reviews.yaml", "--no-worker"], variables, runner.enter);
  const busy = await wait(() => gateway.stats().billedRequests > 10 * CONCURRENCY, 30_000);
  if (busy === null) throw new Error(`the workers did not begin: ${owner.stderr}`);
  cut.cable(false);
  await sleep(CUT_MS);
  cut.cable(true);
  const { code } = await owner.exit;
  for (const each of workers) each.kill("SIGTERM");
  const ends = await Promise.all(workers.map(async ({ exit }) => exit));
  const done = ends.map(({ stderr }) => Number(/(\d+) completed/.exec(stderr)?.[1] ?? 0));
  const [run] = await site.runs();
  if (run === undefined) throw new Error("no run directory");
  return [
    told("items", items),
    told("seconds without a link", CUT_MS / 1_000),
    told("slow and lossy link", isSlow ? "150 ms, 2 %" : "this kernel has no netem"),
    told("done by the one cut off, the slow one, the one whose clock is wrong", done.join(", ")),
    exactly("exit of the owner", code ?? -1, 0),
    exactly("workers that did not exit with 0", ends.filter((end) => end.code !== 0).length, 0),
    exactly("workers that did nothing", done.filter((items) => items === 0).length, 0),
    ...(await checkOutcomes(site, run, items)),
    atMost("items paid twice", paidTwice(gateway.ledger()), CONCURRENCY),
  ];
};
