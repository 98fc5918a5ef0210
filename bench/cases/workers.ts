import type { Bench } from "../harness/bench.ts";
import { hasRedis } from "../harness/service.ts";
import { recording } from "./workers/recording.ts";
import { redisMemory } from "./workers/redis-memory.ts";
import { scaling } from "./workers/scaling.ts";

const ROWS = { scaling, recording, memory: redisMemory } as const;

/** What many machines bring, and what they cost the owner and Redis. */
export async function workers(bench: Bench): Promise<string> {
  if (!(await hasRedis())) return "workers: skipped, no redis-server on this machine";
  const tables: string[] = [];
  for (const [name, row] of Object.entries(ROWS)) {
    if (bench.rows.length > 0 && !bench.rows.includes(name)) continue;
    try {
      tables.push(await row(bench));
    } catch (error) {
      bench.fail(`workers: ${name} failed`, error);
    }
  }
  return tables.join("\n\n");
}
