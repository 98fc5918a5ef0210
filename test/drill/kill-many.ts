import { setTimeout as sleep } from "node:timers/promises";

import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { Random } from "../../src/system/random.ts";
import type { Running } from "../e2e/support/process.ts";
import { hasRedisServer, RedisServer } from "../e2e/support/redis-server.ts";
import { reviewsCsv, reviewsJob } from "../e2e/support/reviews.ts";
import { atMost, type Drill, exactly, type Finding, told } from "./support/finding.ts";
import { checkOutcomes, paidTwice } from "./support/outcomes.ts";
import type { Site } from "./support/site.ts";
import { wait } from "./support/wait.ts";

const WORKERS = 3;
const CONCURRENCY = 16;
/** Longer than it takes until the items of a dead worker are taken over. */
const PATIENCE_MS = 120_000;

/** Kills workers, the owner and Redis at random while several machines' worth of them work. */
export const killMany: Drill = async (site, { random, short }) => {
  if (!hasRedisServer) return { skipped: "this machine has no redis-server" };
  const redis = await RedisServer.start();
  site.closing(() => redis[Symbol.asyncDispose]());
  return new KillMany(site, random, redis, short ? 3_000 : 20_000).drill(short ? 8 : 100);
};

class KillMany {
  readonly #site: Site;
  readonly #random: Random;
  readonly #redis: RedisServer;
  readonly #items: number;
  readonly #workers: Running[] = [];
  readonly #kills = { worker: 0, owner: 0, redis: 0 };
  #inFlight = 0;
  /** Outcomes that lay in Redis when it was emptied. */
  #unrecorded = 0;

  constructor(site: Site, random: Random, redis: RedisServer, items: number) {
    this.#site = site;
    this.#random = random;
    this.#redis = redis;
    this.#items = items;
  }

  async drill(kills: number): Promise<readonly Finding[]> {
    const gateway = await this.#site.serve({ latency: { ttftMs: 60, jitter: 0.5 } });
    await this.#site.write("reviews.csv", reviewsCsv(this.#items));
    await this.#site.write("reviews.yaml", reviewsJob());
    for (let at = 0; at < WORKERS; at += 1) this.#workers.push(this.#start("worker"));
    let owner = this.#start("owner");

    for (let kill = 0; kill < kills; kill += 1) {
      const share = (0.95 * (kill + this.#random())) / kills;
      await this.#until(gateway, Math.floor(share * this.#items), owner);
      const what = this.#random();
      if (what < 0.6) await this.#killWorker(gateway);
      else if (what < 0.85) owner = await this.#killOwner(owner);
      else await this.#emptyRedis(gateway, owner);
    }
    const { code, stderr } = await owner.exit;
    if (code !== 0) console.error(stderr);
    for (const worker of this.#workers) worker.kill("SIGTERM");
    const codes = await Promise.all(this.#workers.map(async ({ exit }) => (await exit).code));

    const [run] = await this.#site.runs();
    if (run === undefined) throw new Error("no run directory");
    return [
      told("items", this.#items),
      told("kills of workers", this.#kills.worker),
      told("kills of the owner", this.#kills.owner),
      told("kills of Redis, which comes back empty", this.#kills.redis),
      exactly("exit of the owner", code ?? -1, 0),
      exactly("workers that did not exit with 0", codes.filter((each) => each !== 0).length, 0),
      ...(await checkOutcomes(this.#site, run, this.#items)),
      exactly("failed items", (await run.errors()).length, 0),
      told("in flight at kills of a worker", this.#inFlight),
      told("unrecorded in Redis when it was emptied", this.#unrecorded),
      atMost(
        "items paid twice",
        paidTwice(gateway.ledger()),
        this.#kills.worker * CONCURRENCY + this.#unrecorded,
      ),
    ];
  }

  #start(what: "worker" | "owner"): Running {
    const args =
      what === "worker"
        ? ["worker", "--concurrency", String(CONCURRENCY)]
        : ["run", "reviews.yaml", "--no-worker"];
    return this.#site.start([...args, "--json"], { NIGHTSHIFT_REDIS_URL: this.#redis.address });
  }

  async #until(gateway: Sandbox, calls: number, owner: Running): Promise<void> {
    const arrived = await wait(
      () => owner.hasEnded || gateway.stats().billedRequests >= calls,
      PATIENCE_MS,
    );
    if (arrived === null) throw new Error(`waited in vain for ${calls} billed calls`);
  }

  async #killWorker(gateway: Sandbox): Promise<void> {
    const at = Math.floor(this.#random() * WORKERS);
    this.#inFlight += Math.min(CONCURRENCY, gateway.stats().inFlight);
    this.#workers[at]?.kill("SIGKILL");
    await this.#workers[at]?.exit;
    this.#kills.worker += 1;
    this.#workers[at] = this.#start("worker");
  }

  async #killOwner(owner: Running): Promise<Running> {
    owner.kill("SIGKILL");
    await owner.exit;
    this.#kills.owner += 1;
    await sleep(this.#random() * 1_000);
    return this.#start("owner");
  }

  async #emptyRedis(gateway: Sandbox, owner: Running): Promise<void> {
    // Whoever finds no Redis when it starts ends with 1: that is no death in mid-run.
    const isThere = ({ hasEnded, stdout }: Running): boolean =>
      hasEnded || /"event":"(online|started)"/.test(stdout);
    await wait(() => [owner, ...this.#workers].every(isThere), PATIENCE_MS);
    const [run] = await this.#site.runs();
    const paid = new Set(
      gateway
        .ledger()
        .filter(({ billed }) => billed)
        .map(({ row }) => row),
    );
    await this.#redis.kill();
    // What is paid for and not in the ledger lay in Redis, or is on its way there.
    await sleep(500);
    this.#unrecorded += Math.max(0, paid.size - ((await run?.completed()) ?? 0));
    await this.#redis.restart();
    this.#kills.redis += 1;
  }
}
