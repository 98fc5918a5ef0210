import { join } from "node:path";

import type { Bench } from "../../harness/bench.ts";
import { type Crewman, startCrewman } from "../../harness/crew.ts";
import { writeInput } from "../../harness/input.ts";
import { startGateway, startRedis } from "../../harness/service.ts";
import { figure } from "../../harness/statistics.ts";
import { table } from "../../harness/table.ts";
import { MODEL } from "../../peers/task.ts";

const LATENCY_MS = 100;
const IN_FLIGHT = 50;
const COUNTS = [1, 2, 4];
const SECONDS = 12;
/** The beginning and the end of a run are not its speed. */
const FROM = 0.25;
const TO = 0.9;

/** Items per second with 1, 2 and 4 worker processes, and an owner that only records. */
export async function scaling(bench: Bench): Promise<string> {
  const rows: string[][] = [];
  let single = 0;
  for (const count of COUNTS) {
    const rate = await rateOf(bench, count);
    bench.note(`workers: ${count} -> ${figure(rate)} items/s`);
    if (count === 1) single = rate;
    rows.push([
      String(count),
      figure(rate),
      `${figure((100 * rate) / (single * count), 1)}%`,
      `${figure((100 * rate) / (count * IN_FLIGHT * (1_000 / LATENCY_MS)), 1)}%`,
    ]);
  }
  return [
    `workers: items/s at ${LATENCY_MS} ms latency, ${IN_FLIGHT} in flight in each worker`,
    table(["workers", "items/s", "of linear", "of the most possible"], rows),
  ].join("\n\n");
}

async function rateOf(bench: Bench, count: number): Promise<number> {
  const items = count * IN_FLIGHT * (1_000 / LATENCY_MS) * SECONDS;
  const [redis, gateway] = await Promise.all([
    startRedis(),
    startGateway(bench.cli, "--ttft", String(LATENCY_MS), "--no-ledger"),
  ]);
  const crew: Crewman[] = [];
  try {
    const directory = join(bench.directory, `scaling-${count}`);
    const start = (name: string, args: readonly string[]): Crewman => {
      const place = { directory: join(directory, name), redis: redis.url, gateway: gateway.url };
      const crewman = startCrewman(bench.cli, args, place);
      crew.push(crewman);
      return crewman;
    };
    for (let worker = 0; worker < count; worker += 1) {
      const args = ["worker", "--concurrency", String(IN_FLIGHT)];
      await start(`worker-${worker}`, args).next(({ event }) => event === "progress");
    }
    const input = join(directory, "reviews.csv");
    await writeInput(input, items);
    const owner = start("owner", [
      "run",
      input,
      "--no-worker",
      "--model",
      MODEL,
      "--prompt",
      "Classify: {{ text }}",
    ]);
    const reached = (share: number) =>
      owner.next(({ event, completed = 0 }) => event === "progress" && completed > share * items);
    const first = await reached(FROM);
    const last = await reached(TO);
    if ((await owner.exit) !== 0) throw new Error("the owner did not finish");
    return (1_000 * ((last.completed ?? 0) - (first.completed ?? 0))) / (last.at - first.at);
  } finally {
    await Promise.all(crew.map((crewman) => crewman.stop()));
    await Promise.all([redis.stop(), gateway.stop()]);
  }
}
