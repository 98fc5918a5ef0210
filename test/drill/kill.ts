import { setTimeout as sleep } from "node:timers/promises";

import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { Random } from "../../src/system/random.ts";
import type { Running } from "../e2e/support/process.ts";
import { hasRedisServer, RedisServer } from "../e2e/support/redis-server.ts";
import { reviewsCsv, reviewsJob } from "../e2e/support/reviews.ts";
import { atLeast, atMost, type Drill, exactly, type Finding, told } from "./support/finding.ts";
import { checkOutcomes, checkTokens, paidTwice } from "./support/outcomes.ts";
import type { Site } from "./support/site.ts";
import { billed, quiet, wait } from "./support/wait.ts";

const CONCURRENCY = 64;
/** What may be in hand at once goes on without Redis; only more than that shows that it has healed. */
const IN_HAND = 4 * CONCURRENCY + CONCURRENCY;
const HEALED_WITHIN_MS = 10_000;
const SHARE_OF_KILLS_AT_START = 0.15;
/** Kills that come while the output is written, or too late. */
const KILLS_AT_THE_END = 2;

/** Kills the process again and again while it runs on its own queue. */
export const killEmbedded: Drill = async (site, { random, short }) =>
  new Killing(site, random, null, short ? 2_000 : 20_000).drill(short ? 5 : 100, 0);

/** The same on a Redis that is killed too, and comes back empty. */
export const killRedis: Drill = async (site, { random, short }) => {
  if (!hasRedisServer) return { skipped: "this machine has no redis-server" };
  const redis = await RedisServer.start();
  site.closing(() => redis[Symbol.asyncDispose]());
  return new Killing(site, random, redis, short ? 2_000 : 20_000).drill(
    short ? 5 : 100,
    short ? 2 : 20,
  );
};

/** What dies when so many items are paid for. */
interface Blow {
  readonly at: number;
  readonly what: "process" | "redis" | "both";
}

class Killing {
  readonly #site: Site;
  readonly #random: Random;
  readonly #redis: RedisServer | null;
  readonly #items: number;
  readonly #unexpected: string[] = [];
  #kills = 0;
  #redisKills = 0;
  /** Calls that the gateway had in flight at each kill, added up. */
  #inFlight = 0;
  #wasted = 0;
  #worst = 0;
  #slowestHeal = 0;

  constructor(site: Site, random: Random, redis: RedisServer | null, items: number) {
    this.#site = site;
    this.#random = random;
    this.#redis = redis;
    this.#items = items;
  }

  async drill(kills: number, redisKills: number): Promise<readonly Finding[]> {
    const gateway = await this.#site.serve({ latency: { ttftMs: 20, jitter: 0.5 } });
    await this.#site.write("reviews.csv", reviewsCsv(this.#items));
    await this.#site.write("reviews.yaml", reviewsJob());

    let running = this.#start();
    for (const { at, what } of this.#plan(kills, redisKills)) {
      // A process that has only begun to start, or to continue, is killed too.
      if (this.#random() < SHARE_OF_KILLS_AT_START) await sleep(this.#random() * 600);
      else await billed(gateway, at + this.#wasted, running);
      await sleep(this.#random() * 30);
      if (what === "redis") await this.#killRedis(gateway, running);
      else running = await this.#killProcess(gateway, running, what);
    }
    const last = await this.#end(gateway, running);
    return this.#findings(gateway, last, kills);
  }

  #start(): Running {
    const command = ["run", "reviews.yaml", "--concurrency", String(CONCURRENCY)];
    const redis = this.#redis;
    return this.#site.start(command, redis === null ? {} : { NIGHTSHIFT_REDIS_URL: redis.address });
  }

  /** Blows at random moments in order; every second death of Redis takes the process along. */
  #plan(kills: number, redisKills: number): Blow[] {
    const both = Math.floor(redisKills / 2);
    const deaths: Blow["what"][] = [
      ...Array.from({ length: kills - both - KILLS_AT_THE_END }, () => "process" as const),
      ...Array.from({ length: both }, () => "both" as const),
      ...Array.from({ length: redisKills - both }, () => "redis" as const),
    ];
    return deaths
      .map((what) => ({ what, at: Math.floor(this.#random() * this.#items * 0.97) }))
      .sort((a, b) => a.at - b.at);
  }

  async #killProcess(gateway: Sandbox, running: Running, what: Blow["what"]): Promise<Running> {
    if (running.hasEnded) this.#unexpected.push((await running.exit).stderr);
    this.#inFlight += gateway.stats().inFlight;
    running.kill("SIGKILL");
    await running.exit;
    this.#kills += 1;
    if (what === "both") {
      await this.#redis?.kill();
      await this.#redis?.restart();
      this.#redisKills += 1;
    }
    await this.#count(gateway);
    return this.#start();
  }

  /** Redis dies under a process that works; only time may be lost. */
  async #killRedis(gateway: Sandbox, running: Running): Promise<void> {
    await this.#redis?.kill();
    await sleep(this.#random() * 200);
    await this.#redis?.restart();
    this.#redisKills += 1;
    const goal = Math.min(
      gateway.stats().billedRequests + IN_HAND,
      this.#items + this.#wasted - CONCURRENCY,
    );
    const healed = await wait(
      () => running.hasEnded || gateway.stats().billedRequests >= goal,
      90_000,
    );
    this.#slowestHeal = Math.max(this.#slowestHeal, healed ?? Infinity);
  }

  /** What the gateway billed and the ledger does not hold was paid for nothing. */
  async #count(gateway: Sandbox): Promise<void> {
    await quiet(gateway);
    const [run] = await this.#site.runs();
    const recorded = (await run?.completed()) ?? 0;
    const wasted = gateway.stats().billedRequests - recorded;
    this.#worst = Math.max(this.#worst, wasted - this.#wasted);
    this.#wasted = wasted;
  }

  /** Lets it end; a few more kills come while it writes its output. */
  async #end(gateway: Sandbox, begun: Running): Promise<Running> {
    let running = begun;
    for (let kill = 0; kill < KILLS_AT_THE_END; kill += 1) {
      await billed(gateway, this.#items + this.#wasted, running);
      await sleep(this.#random() * 200);
      if (running.hasEnded) break;
      running.kill("SIGKILL");
      await running.exit;
      this.#kills += 1;
      await this.#count(gateway);
      const [run] = await this.#site.runs();
      if ((await run?.manifest())?.state === "finished") break;
      running = this.#start();
    }
    await running.exit;
    return running;
  }

  async #findings(gateway: Sandbox, last: Running, kills: number): Promise<readonly Finding[]> {
    const { code, signal, stderr } = await last.exit;
    const runs = await this.#site.runs();
    const [run] = runs;
    if (run === undefined) throw new Error(`no run directory: ${stderr}`);
    const calls = gateway.ledger();
    const output = (await run.text("output.csv")).trimEnd().split("\n").length - 1;
    for (const text of this.#unexpected) console.error(text);
    return [
      told("items", this.#items),
      atLeast("kills of the process", this.#kills, kills - KILLS_AT_THE_END),
      told("kills of Redis", this.#redisKills),
      exactly("ended before its kill", this.#unexpected.length, 0),
      exactly("last exit", code ?? (signal === "SIGKILL" ? 0 : -1), 0),
      exactly("run directories", runs.length, 1),
      ...(await checkOutcomes(this.#site, run, this.#items)),
      exactly("failed items", (await run.errors()).length, 0),
      exactly("rows in output.csv", output, this.#items),
      await checkTokens(run, calls),
      atMost("items paid twice", paidTwice(calls), this.#kills * CONCURRENCY),
      atMost("most of them at one kill", this.#worst, CONCURRENCY),
      told("in flight at the kills (gateway)", this.#inFlight),
      ...(this.#redis === null
        ? []
        : [atMost("slowest to heal", this.#slowestHeal / 1000, HEALED_WITHIN_MS / 1000, " s")]),
    ];
  }
}
