import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { Redis } from "ioredis";

import type { Bench } from "../../harness/bench.ts";
import { type Crewman, startCrewman } from "../../harness/crew.ts";
import { writeInput } from "../../harness/input.ts";
import { startGateway, startRedis } from "../../harness/service.ts";
import { figure, megabytes } from "../../harness/statistics.ts";
import { table } from "../../harness/table.ts";
import { MODEL } from "../../peers/task.ts";

const ITEMS = 1_000_000;
const ITEM_BYTES = 2_000;
const WATCHED_MS = 20_000;
const LOOK_EVERY_MS = 100;

/** The most that Redis uses while a run of a million items goes on. */
export async function redisMemory(bench: Bench): Promise<string> {
  const items = bench.items ?? ITEMS;
  const [redis, gateway] = await Promise.all([
    startRedis(),
    startGateway(bench.cli, "--no-ledger"),
  ]);
  const client = new Redis(redis.url);
  const crew: Crewman[] = [];
  try {
    const directory = join(bench.directory, "redis-memory");
    const start = (name: string, args: readonly string[]): Crewman => {
      const place = { directory: join(directory, name), redis: redis.url, gateway: gateway.url };
      const crewman = startCrewman(bench.cli, args, place);
      crew.push(crewman);
      return crewman;
    };
    await start("worker", ["worker"]).next(({ event }) => event === "progress");
    const empty = await usedBy(client);
    const input = join(directory, "reviews.csv");
    await writeInput(input, items);
    const prompt = "Weigh every word of it. ".repeat(ITEM_BYTES).slice(0, ITEM_BYTES - 250);
    const owner = start("owner", [
      "run",
      input,
      "--no-worker",
      "--model",
      MODEL,
      "--prompt",
      `${prompt}{{ text }}`,
    ]);
    await owner.next(({ event, completed = 0 }) => event === "progress" && completed > 0);
    let most = 0;
    const began = performance.now();
    const last = owner.next(({ event, at }) => event === "progress" && at > began + WATCHED_MS);
    while (performance.now() < began + WATCHED_MS) {
      most = Math.max(most, await usedBy(client));
      await delay(LOOK_EVERY_MS);
    }
    const { completed = 0 } = await last;
    return [
      `workers: Redis with ${figure(items)} items of ${figure(ITEM_BYTES)} bytes in the input, ` +
        `watched until ${figure(completed)} were done`,
      table(
        ["", "MB"],
        [
          ["before the run", figure(megabytes(empty), 1)],
          ["most while it went on", figure(megabytes(most), 1)],
        ],
      ),
    ].join("\n\n");
  } finally {
    await Promise.all(crew.map((crewman) => crewman.stop()));
    client.disconnect();
    await Promise.all([redis.stop(), gateway.stop()]);
  }
}

async function usedBy(client: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await client.info("memory"))?.[1]);
}
